//! Operations of neural networks.

use burn_ir::ModuleOperationIr as Mod;

use super::refused;
use crate::lower::context::{Context, Lowered, unsupported};
use crate::lower::conv::{self, Window};
use crate::lower::{adaptive, attention, deform, index, matmul, norm, pool, resize, unfold};

/// Lowers a convolution: Burn's operations differ in type by rank and direction, and have the
/// same fields.
macro_rules! convolution {
    ($cx:expr, $op:expr, $padding:expr, $extra:expr) => {{
        let window = Window {
            stride: &$op.options.stride,
            padding: $padding,
            dilation: &$op.options.dilation,
            groups: $op.options.groups,
        };
        let inputs = [&$op.x, &$op.weight];
        conv::conv($cx, inputs, $op.bias.as_ref(), &window, $extra, &$op.out)
    }};
}

/// The same padding at both ends of each axis.
fn alike(padding: &[usize]) -> Vec<(usize, usize)> {
    padding.iter().map(|p| (*p, *p)).collect()
}

/// Appends the nodes of an operation of a neural network.
pub(super) fn lower(cx: &mut Context, op: &Mod) -> Lowered {
    match op {
        Mod::Embedding(op) => index::embedding(cx, op),
        Mod::Linear(op) => matmul::linear(cx, op),
        Mod::LayerNorm(op) => norm::layer_norm(cx, op),
        Mod::BatchNorm(op) => norm::batch_norm(cx, op),
        Mod::Attention(op) => attention::attention(cx, op),
        Mod::Conv1d(op) => convolution!(cx, op, op.options.padding.to_vec(), None),
        Mod::Conv2d(op) => convolution!(cx, op, op.options.padding.to_vec(), None),
        Mod::Conv3d(op) => convolution!(cx, op, alike(&op.options.padding), None),
        Mod::ConvTranspose1d(op) => convolution!(
            cx,
            op,
            alike(&op.options.padding),
            Some(&op.options.padding_out)
        ),
        Mod::ConvTranspose2d(op) => convolution!(
            cx,
            op,
            alike(&op.options.padding),
            Some(&op.options.padding_out)
        ),
        Mod::ConvTranspose3d(op) => convolution!(
            cx,
            op,
            alike(&op.options.padding),
            Some(&op.options.padding_out)
        ),
        Mod::AvgPool1d(op) => pool::average(
            cx,
            [&op.x, &op.out],
            [&[op.kernel_size], &[op.stride], &[op.padding]],
            op.count_include_pad,
            op.ceil_mode,
        ),
        Mod::AvgPool2d(op) => pool::average(
            cx,
            [&op.x, &op.out],
            [&op.kernel_size, &op.stride, &op.padding],
            op.count_include_pad,
            op.ceil_mode,
        ),
        Mod::MaxPool1d(op) => pool::max(
            cx,
            [&op.x, &op.out],
            [
                &[op.kernel_size],
                &[op.stride],
                &[op.padding],
                &[op.dilation],
            ],
            op.ceil_mode,
        ),
        Mod::MaxPool2d(op) => pool::max(
            cx,
            [&op.x, &op.out],
            [&op.kernel_size, &op.stride, &op.padding, &op.dilation],
            op.ceil_mode,
        ),
        Mod::AdaptiveAvgPool1d(op) => adaptive::average(cx, [&op.x, &op.out], &[op.output_size]),
        Mod::AdaptiveAvgPool2d(op) => adaptive::average(cx, [&op.x, &op.out], &op.output_size),
        Mod::AdaptiveAvgPool3d(op) => adaptive::average(cx, [&op.x, &op.out], &op.output_size),
        Mod::MaxPool1dWithIndices(op) => pool::max_with_indices(
            cx,
            [&op.x, &op.out, &op.out_indices],
            [
                &[op.kernel_size],
                &[op.stride],
                &[op.padding],
                &[op.dilation],
            ],
            op.ceil_mode,
        ),
        Mod::MaxPool2dWithIndices(op) => pool::max_with_indices(
            cx,
            [&op.x, &op.out, &op.out_indices],
            [&op.kernel_size, &op.stride, &op.padding, &op.dilation],
            op.ceil_mode,
        ),
        Mod::DeformableConv2d(op) => deform::deformable(cx, op),
        Mod::Interpolate(op) => resize::interpolate(cx, op),
        Mod::Unfold4d(op) => unfold::unfold4d(cx, op),
        Mod::CtcLoss(_) => unsupported(refused::CTC),
        Mod::EmbeddingBackward(_)
        | Mod::LinearXBackward(_)
        | Mod::LinearWeightBackward(_)
        | Mod::LinearBiasBackward(_)
        | Mod::Conv1dXBackward(_)
        | Mod::Conv1dWeightBackward(_)
        | Mod::Conv1dBiasBackward(_)
        | Mod::Conv2dXBackward(_)
        | Mod::Conv2dWeightBackward(_)
        | Mod::Conv2dBiasBackward(_)
        | Mod::Conv3dXBackward(_)
        | Mod::Conv3dWeightBackward(_)
        | Mod::Conv3dBiasBackward(_)
        | Mod::DeformableConv2dBackward(_)
        | Mod::AvgPool1dBackward(_)
        | Mod::AvgPool2dBackward(_)
        | Mod::AdaptiveAvgPool1dBackward(_)
        | Mod::AdaptiveAvgPool2dBackward(_)
        | Mod::AdaptiveAvgPool3dBackward(_)
        | Mod::MaxPool1dWithIndicesBackward(_)
        | Mod::MaxPool2dWithIndicesBackward(_)
        | Mod::InterpolateBackward(_)
        | Mod::CtcLossBackward(_)
        | Mod::ConvTranspose1dWeightBackward(_)
        | Mod::ConvTranspose1dBiasBackward(_)
        | Mod::ConvTranspose2dWeightBackward(_)
        | Mod::ConvTranspose2dBiasBackward(_)
        | Mod::ConvTranspose3dWeightBackward(_)
        | Mod::ConvTranspose3dBiasBackward(_) => unsupported(refused::GRADIENT),
    }
}
