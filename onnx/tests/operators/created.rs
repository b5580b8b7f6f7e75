//! Tensors out of nothing: ranges, constants and triangles, of sizes that inputs have.

use burn::tensor::activation::softmax;
use burn::tensor::{Bool, Int, Tensor, TensorData};

use crate::case::*;

#[test]
fn tensors_out_of_nothing() {
    check(&[
        ("arange", BOTH, |mut a| {
            let [_, m, _] = a.x().dims();
            i(Tensor::<1, Int>::arange(0..m as i64, &a.device()))
        }),
        ("arange from", BOTH, |mut a| {
            let [n, m, _] = a.x().dims();
            f(Tensor::<1, Int>::arange(n as i64..(n + m) as i64, &a.device()).float())
        }),
        ("arange step", BOTH, |mut a| {
            let [_, m, _] = a.x().dims();
            i(Tensor::<1, Int>::arange_step(
                3..(3 + 2 * m) as i64,
                2,
                &a.device(),
            ))
        }),
        ("arange down", BOTH, |mut a| {
            let [_, m, _] = a.x().dims();
            f((Tensor::<1, Int>::arange(0..m as i64, &a.device()).neg() + m as i64).float())
        }),
        ("zeros ones full", BOTH, |mut a| {
            let [n, m, _] = a.x().dims();
            let d = a.device();
            f(Tensor::<2>::zeros([n, m], &d)
                + Tensor::<2>::ones([n, m], &d) * 2.0
                + Tensor::<2>::full([n, m], 0.5, &d))
        }),
        ("full of a size", BOTH, |mut a| {
            let [n, m, _] = a.x().dims();
            f(a.x() + Tensor::<3>::full([n, 1, 4], m as f32, &a.device()))
        }),
        ("scalar of a size", BOTH, |mut a| {
            let [_, m, _] = a.x().dims();
            f(a.x() / m as f64 + a.x() * (1.0 / m as f64))
        }),
        ("data", BOTH, |mut a| {
            f(a.x() + Tensor::<1>::from_floats([1.0, 2.0, 3.0, 4.0], &a.device()).unsqueeze())
        }),
        ("data by size", BOTH, |mut a| {
            let [_, m, _] = a.x().dims();
            let values: Vec<f32> = (0..m).map(|i| i as f32 * 0.25).collect();
            let t = Tensor::<1>::from_data(TensorData::new(values, [m]), &a.device());
            f(a.x() * t.reshape([1, m, 1]))
        }),
        ("positions table by size", BOTH, |mut a| {
            let [n, m, _] = a.x().dims();
            let values: Vec<i64> = (0..n * m).map(|i| (i % m) as i64).collect();
            i(Tensor::<2, Int>::from_data(
                TensorData::new(values, [n, m]),
                &a.device(),
            ))
        }),
        ("triangle as a choice", BOTH, |mut a| {
            let [_, m, _] = a.x().dims();
            let t = Tensor::<2, Bool>::tril_mask([m, m], 0, &a.device());
            let x = a.x().matmul(a.y().transpose());
            f(softmax(x.mask_fill(t.unsqueeze(), -1e9), 2))
        }),
        ("triangle", BOTH, |mut a| {
            let [_, m, _] = a.x().dims();
            b(Tensor::<2, Bool>::tril_mask([m, m], 0, &a.device()))
        }),
    ]);
}
