//! Convolutions and pooling.

use burn::tensor::Tensor;
use burn::tensor::module::*;
use burn::tensor::ops::{AvgPoolOptions, ConvOptions, ConvTransposeOptions, MaxPoolOptions};

use crate::case::*;
use crate::common::floats;

#[test]
fn images() {
    fn kernel(a: &A, shape: [usize; 4]) -> Tensor<4> {
        Tensor::from_data(floats(&shape, 77), &a.device())
    }
    check(&[
        ("conv2d", BOTH, |mut a| {
            let w = kernel(&a, [5, 3, 3, 3]);
            f(conv2d(
                a.image(),
                w,
                None,
                ConvOptions::new([2, 1], [1, 1], [1, 1], 1),
            ))
        }),
        ("patches", BOTH, |mut a| {
            let w = kernel(&a, [5, 3, 4, 5]);
            f(conv2d(
                a.image(),
                w,
                None,
                ConvOptions::new([4, 5], [0, 0], [1, 1], 1),
            )
            .flatten::<3>(2, 3)
            .swap_dims(1, 2))
        }),
        ("depthwise", BOTH, |mut a| {
            let w = kernel(&a, [3, 1, 3, 3]);
            f(conv2d(
                a.image(),
                w,
                None,
                ConvOptions::new([1, 1], [1, 1], [1, 1], 3),
            ))
        }),
        ("uneven padding", BOTH, |mut a| {
            let w = kernel(&a, [2, 3, 2, 2]);
            f(conv2d(
                a.image(),
                w,
                None,
                ConvOptions::new_with_padding([1, 1], [(0, 1), (0, 1)], [1, 1], 1),
            ))
        }),
        ("transposed", BOTH, |mut a| {
            let w = kernel(&a, [3, 2, 3, 3]);
            f(conv_transpose2d(
                a.image(),
                w,
                None,
                ConvTransposeOptions::new([2, 2], [1, 1], [1, 1], [1, 1], 1),
            ))
        }),
        ("conv1d", BOTH, |mut a| {
            let w = Tensor::<3>::from_data(floats(&[5, 4, 3], 78), &a.device());
            f(conv1d(
                a.x().swap_dims(1, 2),
                w,
                None,
                ConvOptions::new([1], [1], [1], 1),
            ))
        }),
        ("max pool", BOTH, |mut a| {
            f(max_pool2d(
                a.image(),
                MaxPoolOptions::new([3, 2])
                    .with_stride([2, 2])
                    .with_padding([1, 0]),
            ))
        }),
        ("average pool", BOTH, |mut a| {
            f(avg_pool2d(
                a.image(),
                AvgPoolOptions {
                    count_include_pad: false,
                    ..AvgPoolOptions::new([3, 3])
                        .with_stride([2, 2])
                        .with_padding([1, 1])
                },
            ))
        }),
        ("average pool with padding", BOTH, |mut a| {
            f(avg_pool2d(
                a.image(),
                AvgPoolOptions {
                    count_include_pad: true,
                    ..AvgPoolOptions::new([3, 3])
                        .with_stride([2, 2])
                        .with_padding([1, 1])
                },
            ))
        }),
        ("global pool", BOTH, |mut a| {
            f(adaptive_avg_pool2d(a.image(), [1, 1]))
        }),
        ("adaptive pool", BOTH, |mut a| {
            f(adaptive_avg_pool2d(a.image(), [3, 5]))
        }),
    ]);
}
