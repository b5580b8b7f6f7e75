//! Pooling.

use burn_ir::TensorIr;

use super::context::{Context, Lowered};
use super::create::count;
use crate::expr::Expr;
use crate::graph::build::{Attr, Attrs, DataType, ValueId};

fn ints(values: &[usize]) -> Attr {
    Attr::Ints(values.iter().map(|v| *v as i64).collect())
}

/// Padding behind, and whether ONNX still has to round up. A window that begins inside and ends
/// outside is whole with more padding; ONNX's rounding up has windows that begin in the padding too.
fn behind([kernel, stride, padding, dilation]: [&[usize]; 4], ceil: bool) -> (Vec<usize>, bool) {
    let axes = kernel.iter().zip(stride).zip(padding).zip(dilation);
    let more: Vec<usize> = axes
        .map(|(((kernel, stride), padding), dilation)| {
            (padding + stride - 1).min(dilation * (kernel - 1))
        })
        .collect();
    // ONNX Runtime takes no padding as wide as the kernel.
    if ceil && more.iter().zip(kernel).all(|(more, kernel)| more < kernel) {
        (more, false)
    } else {
        (padding.to_vec(), ceil)
    }
}

fn attrs(kernel: &[usize], stride: &[usize], padding: [&[usize]; 2], ceil: bool) -> Attrs {
    let pads = padding.concat();
    vec![
        ("kernel_shape", ints(kernel)),
        ("strides", ints(stride)),
        ("pads", ints(&pads)),
        ("ceil_mode", Attr::Int(ceil.into())),
    ]
}

/// Means of windows.
pub(super) fn average(
    cx: &mut Context,
    [x, out]: [&TensorIr; 2],
    [kernel, stride, padding]: [&[usize]; 3],
    include_pad: bool,
    ceil: bool,
) -> Lowered {
    let mut input = cx.get(x)?;
    let (mut after, ceil) = behind([kernel, stride, padding, &[1; 2][..kernel.len()]], ceil);
    let (mut before, mut counts) = (padding.to_vec(), include_pad);
    // Zeros that count stand in the tensor: what is behind them, to make windows whole, does not.
    if include_pad && after != padding {
        input = zeros_around(cx, input, padding);
        after
            .iter_mut()
            .zip(padding)
            .for_each(|(after, own)| *after -= own);
        before.fill(0);
        counts = false;
    }
    let mut attrs = attrs(kernel, stride, [&before, &after], ceil);
    attrs.push(("count_include_pad", Attr::Int(counts.into())));
    let (dtype, shape) = (cx.dtype(input), cx.shape_of(out)?);
    let value = cx.emit("AveragePool", &[input], attrs, dtype, shape);
    cx.bind(out, value)
}

/// A margin of zeros around the axes behind `[batch, channels]`.
fn zeros_around(cx: &mut Context, value: ValueId, padding: &[usize]) -> ValueId {
    if padding.iter().all(|padding| *padding == 0) {
        return value;
    }
    let (dtype, mut shape) = (cx.dtype(value), cx.shape(value));
    for (dim, padding) in shape[2..].iter_mut().zip(padding) {
        *dim = dim.add(&Expr::constant(2 * *padding as i64));
    }
    let margins = padding.iter().map(|padding| *padding as i64);
    let end: Vec<i64> = [0, 0].into_iter().chain(margins).collect();
    let (pads, zero) = (cx.ints(&end.repeat(2)), cx.scalar(dtype, 0.0));
    let attrs = vec![("mode", Attr::Text("constant"))];
    cx.emit("Pad", &[value, pads, zero], attrs, dtype, shape)
}

/// Largest elements of windows.
pub(super) fn max(
    cx: &mut Context,
    [x, out]: [&TensorIr; 2],
    [kernel, stride, padding, dilation]: [&[usize]; 4],
    ceil: bool,
) -> Lowered {
    let input = cx.get(x)?;
    let (after, ceil) = behind([kernel, stride, padding, dilation], ceil);
    let mut attrs = attrs(kernel, stride, [padding, &after], ceil);
    attrs.push(("dilations", ints(dilation)));
    let (dtype, shape) = (cx.dtype(input), cx.shape_of(out)?);
    let value = cx.emit("MaxPool", &[input], attrs, dtype, shape);
    cx.bind(out, value)
}

/// Largest elements of windows and where they stand: Burn counts within a channel's plane, ONNX
/// through the whole tensor.
pub(super) fn max_with_indices(
    cx: &mut Context,
    [x, out, out_indices]: [&TensorIr; 3],
    [kernel, stride, padding, dilation]: [&[usize]; 4],
    ceil: bool,
) -> Lowered {
    let input = cx.get(x)?;
    let (after, ceil) = behind([kernel, stride, padding, dilation], ceil);
    let mut attrs = attrs(kernel, stride, [padding, &after], ceil);
    attrs.push(("dilations", ints(dilation)));
    let (dtype, shape) = (cx.dtype(input), cx.shape_of(out)?);
    let results = vec![(dtype, shape.clone()), (DataType::Int64, shape)];
    let values = cx.emit_many("MaxPool", vec![Some(input)], attrs, results);
    cx.bind(out, values[0])?;
    let dims = cx.shape(input);
    let product = |dims: &[Expr]| dims.iter().fold(Expr::constant(1), |all, dim| all.mul(dim));
    let planes = product(&dims[..2]);
    let before = count(cx, &Expr::constant(0), &planes)?;
    // To tract 0.23.9 a cast ends what is a size, and what it cannot multiply.
    let plane = cx.extent_scalar(&product(&dims[2..]));
    let plane = if cx.graph.initializers.contains_key(&plane) {
        plane
    } else {
        let plane = cx.cast(plane, DataType::Int32);
        cx.cast(plane, DataType::Int64)
    };
    let before = cx.binary("Mul", before, plane)?;
    let mut shape = vec![Expr::constant(1); dims.len()];
    shape[..2].clone_from_slice(&dims[..2]);
    let before = cx.reshape(before, &shape);
    let places = cx.binary("Sub", values[1], before)?;
    cx.bind(out_indices, places)
}
