//! Sums, extremes, sorting and running sums.

use fluxo_onnx::Outputs;

use crate::case::*;
use crate::common::Runtime::{Rten, Tract};

#[test]
fn reductions() {
    check(&[
        ("mean dim", BOTH, |mut a| {
            f(a.x().mean_dim(1) + a.x().mean_dim(2).mean_dim(1))
        }),
        ("sum dim", BOTH, |mut a| f(a.x().sum_dim(0))),
        ("int sum dim", BOTH, |mut a| i(a.s().sum_dim(1))),
        ("sum mean all", BOTH, |mut a| f(a.x().sum() + a.y().mean())),
        ("max min", BOTH, |mut a| {
            f(a.x().max_dim(2) + a.x().min_dim(2) + a.y().max().unsqueeze())
        }),
        ("int max", BOTH, |mut a| {
            i(a.s().max_dim(1) - a.s().min_dim(1))
        }),
        ("max abs", BOTH, |mut a| f(a.x().max_abs_dim(2))),
        ("prod", BOTH, |mut a| f(a.x().prod_dim(2))),
        ("argmax", BOTH, |mut a| i(a.x().argmax(2) + a.x().argmin(2))),
        ("argmax middle", BOTH, |mut a| i(a.x().argmax(1))),
        // rten takes the last of equal elements, Burn and ONNX the first.
        ("int argmax", &[Tract], |mut a| i(a.s().argmax(2))),
        ("max with indices", BOTH, |mut a| {
            let (v, n) = a.x().max_dim_with_indices(2);
            Outputs::new().float("values", v).int("places", n)
        }),
        ("topk", BOTH, |mut a| {
            let (v, n) = a.x().topk_with_indices(2, 2);
            Outputs::new().float("values", v).int("places", n)
        }),
        ("sort", &[Rten], |mut a| {
            let (v, n) = a.x().sort_with_indices(1);
            Outputs::new().float("values", v).int("places", n)
        }),
        ("sort fixed", BOTH, |mut a| f(a.x().sort_descending(2))),
        ("cumsum", BOTH, |mut a| f(a.x().cumsum(1))),
        ("int cumsum", BOTH, |mut a| {
            i(a.s().cumsum(1) + a.s().cumsum(2))
        }),
        ("bool cumsum", BOTH, |mut a| i(a.b().int().cumsum(1))),
        // To tract what is cast to 64-bit integers is a size, which it has no running sum of.
        ("cast cumsum", &[Rten], |mut a| {
            i((a.x() * 3.0).int().cumsum(1))
        }),
        ("variance", BOTH, |mut a| {
            f(a.x().var_bias(2) + a.x().var_mean_bias(2).1)
        }),
    ]);
}
