//! Comparisons, logic and masks.

use burn::tensor::Tensor;

use crate::case::*;

#[test]
fn comparisons_and_choices() {
    check(&[
        ("greater", BOTH, |mut a| b(a.x().greater(a.y()))),
        ("lower equal", BOTH, |mut a| {
            b(a.x()
                .lower_equal(a.y())
                .bool_or(a.s().greater_equal_elem(3)))
        }),
        ("int compare", BOTH, |mut a| {
            b(a.s().lower(a.n()).bool_and(a.s().not_equal(a.n())))
        }),
        ("equal", BOTH, |mut a| {
            b(a.n().equal_elem(2).bool_xor(a.n().not_equal_elem(4)))
        }),
        ("not", BOTH, |mut a| b(a.b().bool_not())),
        ("bool equal", BOTH, |mut a| {
            let c = a.n().greater_elem(2);
            b(a.b().equal(c))
        }),
        ("mask where", BOTH, |mut a| {
            f(a.x().mask_where(a.b(), a.y()))
        }),
        ("mask fill", BOTH, |mut a| f(a.x().mask_fill(a.b(), -7.5))),
        ("mask fill int", BOTH, |mut a| i(a.n().mask_fill(a.b(), -7))),
        ("mask fill infinity", BOTH, |mut a| {
            f(a.x().mask_fill(a.b(), f32::NEG_INFINITY).clamp_min(-1e6))
        }),
        ("any all dims", BOTH, |mut a| {
            b(a.b().any_dim(2).bool_and(a.n().greater_elem(0).all_dim(2)))
        }),
        ("any all", BOTH, |mut a| {
            b(Tensor::cat(vec![a.b().any(), a.b().all()], 0))
        }),
        ("is nan", BOTH, |mut a| b(a.x().log().is_nan())),
    ]);
}
