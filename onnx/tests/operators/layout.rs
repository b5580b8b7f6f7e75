//! Shapes, slices, and elements that are picked by index.

use burn::tensor::module::embedding;
use burn::tensor::ops::PadMode;
use burn::tensor::{IndexingUpdateOp, Tensor};

use crate::case::*;

#[test]
fn layout_and_indexing() {
    check(&[
        ("reshape flatten", BOTH, |mut a| f(a.x().flatten::<2>(0, 1))),
        ("reshape split", BOTH, |mut a| {
            let [n, m, _] = a.x().dims();
            f(a.x().reshape([n, m, 2, 2]).swap_dims(1, 2))
        }),
        ("reshape unfold", BOTH, |mut a| {
            let [n, m, _] = a.x().dims();
            f(a.x().reshape([n * m, 4]).exp().reshape([n, m * 2, 2]))
        }),
        ("permute", BOTH, |mut a| f(a.x().permute([2, 0, 1]))),
        ("transpose", BOTH, |mut a| f(a.x().transpose())),
        ("flip", BOTH, |mut a| f(a.x().flip([1, 2]))),
        ("flip fixed", BOTH, |mut a| f(a.x().flip([2]))),
        ("expand", BOTH, |mut a| {
            let [n, m, _] = a.x().dims();
            f(a.x().slice([0..n, 0..1, 0..4]).expand([n, m, 4]))
        }),
        ("unsqueeze squeeze", BOTH, |mut a| {
            f(a.x().unsqueeze_dim::<4>(1).squeeze_dim::<3>(1))
        }),
        ("slice", BOTH, |mut a| {
            let [n, m, _] = a.x().dims();
            f(a.x().slice([0..n, m - 1..m, 1..3]))
        }),
        ("slice from end", BOTH, |mut a| {
            let [_, m, _] = a.x().dims();
            f(a.x().slice([0..1, m / m - 1..m, 2..4]))
        }),
        ("slice step", BOTH, |mut a| {
            f(a.x().slice(burn::tensor::s![.., .., 0..4;2]))
        }),
        ("slice back", BOTH, |mut a| {
            f(a.x().slice(burn::tensor::s![.., .., 0..4;-1]))
        }),
        ("slice assign", BOTH, |mut a| {
            let [n, m, _] = a.x().dims();
            let y = a.y().slice([0..n, 0..1, 0..2]);
            f(a.x().slice_assign([0..n, m - 1..m, 1..3], y))
        }),
        ("repeat", BOTH, |mut a| {
            f(a.x().repeat_dim(2, 3).repeat_dim(0, 2))
        }),
        ("repeat by size", BOTH, |mut a| {
            let [_, m, _] = a.x().dims();
            f(a.x().slice([0..1, 0..1, 0..4]).repeat_dim(1, m))
        }),
        ("cat", BOTH, |mut a| {
            f(Tensor::cat(vec![a.x(), a.y(), a.x()], 1))
        }),
        ("stack", BOTH, |mut a| {
            f(Tensor::stack::<4>(vec![a.x(), a.y()], 1))
        }),
        ("chunk", BOTH, |mut a| {
            let parts = a.x().chunk(2, 2);
            f(parts[1].clone() - parts[0].clone())
        }),
        ("pad", BOTH, |mut a| {
            f(a.image().pad((1, 2, 0, 3), PadMode::Constant(0.5)))
        }),
        ("pad edge", BOTH, |mut a| {
            f(a.image().pad((1, 2, 0, 3), PadMode::Edge))
        }),
        ("select", BOTH, |mut a| {
            let n = a.n().flatten::<1>(0, 2);
            f(a.1.matrix.val().select(0, n))
        }),
        ("select middle", BOTH, |mut a| {
            let n = a
                .n()
                .slice([0..1, 0..1, 0..4])
                .flatten::<1>(0, 2)
                .clamp_max(3);
            f(a.x().select(2, n))
        }),
        ("gather", BOTH, |mut a| {
            let n = a.n().clamp_max(3);
            f(a.x().gather(2, n))
        }),
        ("embedding", BOTH, |mut a| {
            let n = a.n().slice([0..1, 0..1, 0..4]).squeeze_dim::<2>(0);
            f(embedding(a.1.matrix.val(), n))
        }),
        ("scatter", BOTH, |mut a| {
            let n = a.n().clamp_max(3);
            f(a.x().scatter(2, n, a.y(), IndexingUpdateOp::Add))
        }),
        ("select assign", BOTH, |mut a| {
            let n = a
                .n()
                .slice([0..1, 0..1, 0..4])
                .flatten::<1>(0, 2)
                .clamp_max(3);
            f(a.x().select_assign(2, n, a.y(), IndexingUpdateOp::Add))
        }),
    ]);
}
