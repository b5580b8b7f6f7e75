//! Operations of neural networks.

use burn::tensor::module::*;
use burn::tensor::ops::{
    AttentionModuleOptions, AvgPoolOptions, ConvOptions, ConvTransposeOptions, DeformConvOptions,
    InterpolateMode, InterpolateOptions, MaxPoolOptions, UnfoldOptions,
};
use burn::tensor::{Tensor, s};
use fluxo_onnx::Outputs;

use super::inputs::{A, Case, f, fi};

pub const CASES: &[Case] = &[
    ("Module(Embedding)", |mut a| {
        let ids = a.int::<2>("ids");
        f(embedding(a.data([6, 4]), ids))
    }),
    ("Module(Linear)", |mut a| {
        let (weight, bias) = (a.data([4, 6]), a.data([6]));
        f(linear(a.x(), weight, Some(bias)))
    }),
    ("Module(LayerNorm)", |mut a| {
        let (gamma, beta) = (a.data([4]), a.data([4]));
        f(layer_norm(a.x(), gamma, Some(beta), 1e-5))
    }),
    ("Module(LayerNorm)", |mut a| {
        f(layer_norm(a.x(), a.data([4]), None, 1e-5))
    }),
    ("Module(BatchNorm)", |mut a| {
        let (gamma, beta, mean) = (a.data([4]), a.data([4]), a.data([4]));
        let variance = Tensor::<1>::from_floats([0.5, 2.0, 1.0, 0.1], &a.device());
        f(batch_norm(a.image(), gamma, beta, mean, variance, 1e-5))
    }),
    ("Module(Attention)", |a| attend(a, false, None, None, false)),
    ("Module(Attention)", |a| {
        attend(a, true, Some(0.3), None, false)
    }),
    ("Module(Attention)", |a| {
        attend(a, false, None, Some(2.0), true)
    }),
    ("Module(Conv1d)", |mut a| {
        let (weight, bias) = (a.data([5, 4, 3]), a.data([5]));
        f(conv1d(
            a.signal(),
            weight,
            Some(bias),
            ConvOptions::new([2], [1], [1], 1),
        ))
    }),
    ("Module(Conv1d)", |mut a| {
        let options = ConvOptions::new_with_padding([1], [(3, 0)], [2], 4);
        f(conv1d(a.signal(), a.data([4, 1, 2]), None, options))
    }),
    ("Module(Conv2d)", |mut a| {
        let (weight, bias) = (a.data([5, 4, 3, 3]), a.data([5]));
        f(conv2d(
            a.image(),
            weight,
            Some(bias),
            ConvOptions::new([2, 1], [1, 1], [1, 1], 1),
        ))
    }),
    ("Module(Conv2d)", |mut a| {
        let options = ConvOptions::new_with_padding([1, 1], [(0, 1), (2, 1)], [2, 1], 2);
        f(conv2d(a.image(), a.data([4, 2, 2, 3]), None, options))
    }),
    ("Module(Conv3d)", |mut a| {
        let (weight, bias) = (a.data([3, 2, 2, 3, 3]), a.data([3]));
        let options = ConvOptions::new([1, 2, 1], [1, 1, 0], [1, 1, 2], 1);
        f(conv3d(a.float("volume"), weight, Some(bias), options))
    }),
    ("Module(ConvTranspose1d)", |mut a| {
        let options = ConvTransposeOptions::new([2], [1], [1], [1], 1);
        f(conv_transpose1d(
            a.signal(),
            a.data([4, 2, 3]),
            None,
            options,
        ))
    }),
    ("Module(ConvTranspose1d)", |mut a| {
        let (weight, bias) = (a.data([4, 1, 3]), a.data([2]));
        let options = ConvTransposeOptions::new([3], [2], [0], [2], 2);
        f(conv_transpose1d(a.signal(), weight, Some(bias), options))
    }),
    ("Module(ConvTranspose2d)", |mut a| {
        let options = ConvTransposeOptions::new([2, 2], [1, 1], [1, 1], [1, 1], 1);
        f(conv_transpose2d(
            a.image(),
            a.data([4, 2, 3, 3]),
            None,
            options,
        ))
    }),
    ("Module(ConvTranspose2d)", |mut a| {
        let options = ConvTransposeOptions::new([2, 1], [0, 1], [1, 0], [1, 2], 4);
        f(conv_transpose2d(
            a.image(),
            a.data([4, 1, 2, 3]),
            None,
            options,
        ))
    }),
    ("Module(ConvTranspose3d)", |mut a| {
        let options = ConvTransposeOptions::new([1, 2, 1], [0, 1, 1], [0, 1, 0], [1, 1, 1], 1);
        f(conv_transpose3d(
            a.float("volume"),
            a.data([2, 3, 2, 3, 3]),
            None,
            options,
        ))
    }),
    ("Module(DeformableConv2d)", |mut a| {
        let options = DeformConvOptions::new([1, 1], [1, 1], [1, 1], 1, 1);
        let (offset, weight) = (a.float("offset"), a.data([6, 4, 3, 3]));
        f(deform_conv2d(
            a.image(),
            offset,
            weight,
            None,
            None,
            options,
        ))
    }),
    ("Module(DeformableConv2d)", |a| deform(a, false, 1, 1)),
    ("Module(DeformableConv2d)", |a| deform(a, true, 2, 2)),
    ("Module(AvgPool1d)", |mut a| {
        f(avg_pool1d(
            a.signal(),
            AvgPoolOptions::new([3]).with_stride([2]).with_padding([1]),
        ))
    }),
    ("Module(AvgPool1d)", |mut a| {
        let options = AvgPoolOptions::new([3]).with_stride([2]).with_padding([1]);
        f(avg_pool1d(
            a.signal(),
            options.with_count_include_pad(false).with_ceil_mode(true),
        ))
    }),
    ("Module(AvgPool2d)", |a| average(a, false, false)),
    ("Module(AvgPool2d)", |a| average(a, true, false)),
    ("Module(AvgPool2d)", |a| average(a, false, true)),
    ("Module(AvgPool2d)", |a| average(a, true, true)),
    ("Module(AvgPool2d)", |mut a| {
        let options = AvgPoolOptions::new([3, 2]).with_stride([1, 2]);
        f(avg_pool2d(
            a.image(),
            options.with_padding_pairs([(0, 1), (1, 0)]),
        ))
    }),
    ("Module(MaxPool1d)", |mut a| {
        f(max_pool1d(
            a.signal(),
            MaxPoolOptions::new([3]).with_stride([2]).with_padding([1]),
        ))
    }),
    ("Module(MaxPool1d)", |mut a| {
        let options = MaxPoolOptions::new([2]).with_stride([3]).with_dilation([2]);
        f(max_pool1d(a.signal(), options.with_ceil_mode(true)))
    }),
    ("Module(MaxPool2d)", |mut a| {
        let options = MaxPoolOptions::new([3, 2]).with_stride([2, 2]);
        f(max_pool2d(
            a.image(),
            options.with_padding([1, 0]).with_dilation([1, 2]),
        ))
    }),
    ("Module(MaxPool2d)", |mut a| {
        let options = MaxPoolOptions::new([3, 2]).with_stride([2, 3]);
        f(max_pool2d(
            a.image(),
            options.with_padding([1, 1]).with_ceil_mode(true),
        ))
    }),
    ("Module(MaxPool2d)", |mut a| {
        let options = MaxPoolOptions::new([3, 2]).with_stride([1, 2]);
        f(max_pool2d(
            a.image(),
            options.with_padding_pairs([(0, 1), (1, 0)]),
        ))
    }),
    ("Module(MaxPool1dWithIndices)", |mut a| {
        let options = MaxPoolOptions::new([3]).with_stride([2]).with_padding([1]);
        fi(max_pool1d_with_indices(a.signal(), options))
    }),
    ("Module(MaxPool2dWithIndices)", |mut a| {
        let options = MaxPoolOptions::new([3, 2])
            .with_stride([2, 2])
            .with_padding([1, 0]);
        fi(max_pool2d_with_indices(a.image(), options))
    }),
    ("Module(MaxPool2dWithIndices)", |mut a| {
        let options = MaxPoolOptions::new([2, 2])
            .with_stride([2, 3])
            .with_dilation([2, 1]);
        fi(max_pool2d_with_indices(
            a.image(),
            options.with_ceil_mode(true),
        ))
    }),
    ("Module(AdaptiveAvgPool1d)", |mut a| {
        f(adaptive_avg_pool1d(a.signal(), 1))
    }),
    ("Module(AdaptiveAvgPool1d)", |mut a| {
        f(adaptive_avg_pool1d(a.signal(), 5))
    }),
    ("Module(AdaptiveAvgPool2d)", |mut a| {
        f(adaptive_avg_pool2d(a.image(), [1, 1]))
    }),
    ("Module(AdaptiveAvgPool2d)", |mut a| {
        f(adaptive_avg_pool2d(a.image(), [3, 5]))
    }),
    ("Module(AdaptiveAvgPool2d)", |mut a| {
        let fixed = a.image().slice(s![.., .., 0..6, 0..4]);
        f(adaptive_avg_pool2d(fixed, [3, 2]))
    }),
    ("Module(AdaptiveAvgPool3d)", |mut a| {
        f(adaptive_avg_pool3d(a.float("volume"), [2, 3, 5]))
    }),
    ("Module(Interpolate)", |a| {
        resize(a, InterpolateMode::Nearest, false)
    }),
    ("Module(Interpolate)", |a| {
        resize(a, InterpolateMode::Bilinear, false)
    }),
    ("Module(Interpolate)", |a| {
        resize(a, InterpolateMode::Bilinear, true)
    }),
    ("Module(Interpolate)", |a| {
        resize(a, InterpolateMode::Bicubic, false)
    }),
    ("Module(Interpolate)", |a| {
        resize(a, InterpolateMode::Bicubic, true)
    }),
    ("Module(Interpolate)", |a| {
        resize(a, InterpolateMode::Lanczos3, false)
    }),
    ("Module(Interpolate)", |a| {
        resize(a, InterpolateMode::Lanczos3, true)
    }),
    ("Module(Interpolate)", |a| grow(a, InterpolateMode::Nearest)),
    ("Module(Interpolate)", |a| {
        grow(a, InterpolateMode::Bilinear)
    }),
    ("Module(Interpolate)", |a| grow(a, InterpolateMode::Bicubic)),
    ("Module(Unfold4d)", |mut a| {
        f(unfold4d(
            a.image(),
            [2, 3],
            UnfoldOptions::new([1, 1], [0, 0], [1, 1]),
        ))
    }),
    ("Module(Unfold4d)", |mut a| {
        f(unfold4d(
            a.image(),
            [3, 2],
            UnfoldOptions::new([1, 1], [1, 2], [2, 1]),
        ))
    }),
];

fn attend(mut a: A, mask: bool, scale: Option<f64>, softcap: Option<f64>, causal: bool) -> Outputs {
    let [q, k, v] = ["q", "k", "v"].map(|name| a.float::<4>(name));
    // Whole rows are masked where every key is.
    let mask = mask.then(|| k.clone().matmul(q.clone().transpose()).greater_scalar(-0.5));
    let options = AttentionModuleOptions {
        scale,
        softcap,
        is_causal: causal,
    };
    f(attention(q, k, v, mask, None, options))
}

/// Windows moved by up to two elements, some of them out of the image.
fn deform(mut a: A, mask: bool, groups: usize, offset_groups: usize) -> Outputs {
    let image = a.image();
    let taps = offset_groups * 6; // 2 by 3
    let small = image.clone().slice(s![.., 0..1, 0..-1, ..]);
    let phases = a.data([1, taps * 2, 1, 1]);
    let offset = (small.clone() * 3.0 + phases).sin() * 2.0;
    let mask = mask.then(|| (small + a.data([1, taps, 1, 1])).cos());
    let (weight, bias) = (a.data([6, 4 / groups, 2, 3]), a.data([6]));
    let options = DeformConvOptions::new([1, 1], [0, 1], [1, 1], groups, offset_groups);
    f(deform_conv2d(
        image,
        offset,
        weight,
        mask,
        Some(bias),
        options,
    ))
}

fn average(mut a: A, include: bool, ceil: bool) -> Outputs {
    let options = AvgPoolOptions::new([3, 2])
        .with_stride([2, 3])
        .with_padding([1, 1]);
    f(avg_pool2d(
        a.image(),
        options.with_count_include_pad(include).with_ceil_mode(ceil),
    ))
}

fn resize(mut a: A, mode: InterpolateMode, align: bool) -> Outputs {
    let options = InterpolateOptions::new(mode).with_align_corners(align);
    f(interpolate(a.image(), options.with_output_size([7, 13])))
}

/// To twice the size, whatever that is.
fn grow(mut a: A, mode: InterpolateMode) -> Outputs {
    f(interpolate(
        a.image(),
        InterpolateOptions::new(mode).with_scale_factor([2.0, 2.0]),
    ))
}
