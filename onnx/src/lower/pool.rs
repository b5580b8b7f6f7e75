//! Pooling.

use burn_ir::TensorIr;

use super::context::{Context, Lowered, unsupported};
use crate::graph::{Attr, Attrs};

fn ints(values: &[usize]) -> Attr {
    Attr::Ints(values.iter().map(|v| *v as i64).collect())
}

fn attrs(kernel: &[usize], stride: &[usize], padding: &[usize], ceil: bool) -> Attrs {
    let pads: Vec<usize> = padding.iter().chain(padding).copied().collect();
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
    let input = cx.get(x)?;
    let mut attrs = attrs(kernel, stride, padding, ceil);
    attrs.push(("count_include_pad", Attr::Int(include_pad.into())));
    let (dtype, shape) = (cx.dtype(input), cx.shape_of(out)?);
    let value = cx.emit("AveragePool", &[input], attrs, dtype, shape);
    cx.bind(out, value)
}

/// Largest elements of windows.
pub(super) fn max(
    cx: &mut Context,
    [x, out]: [&TensorIr; 2],
    [kernel, stride, padding, dilation]: [&[usize]; 4],
    ceil: bool,
) -> Lowered {
    let input = cx.get(x)?;
    let mut attrs = attrs(kernel, stride, padding, ceil);
    attrs.push(("dilations", ints(dilation)));
    let (dtype, shape) = (cx.dtype(input), cx.shape_of(out)?);
    let value = cx.emit("MaxPool", &[input], attrs, dtype, shape);
    cx.bind(out, value)
}

/// Means of windows chosen by the size of the result: all of an axis, or an even division of it.
pub(super) fn adaptive(cx: &mut Context, [x, out]: [&TensorIr; 2], sizes: &[usize]) -> Lowered {
    let input = cx.get(x)?;
    let dims = cx.shape(input);
    let skip = dims.len() - sizes.len();
    if sizes.iter().all(|size| *size == 1) {
        let axes: Vec<usize> = (skip..dims.len()).collect();
        let value = cx.reduce("ReduceMean", input, &axes);
        return cx.bind(out, value);
    }
    let mut kernel = Vec::new();
    for (dim, size) in dims[skip..].iter().zip(sizes) {
        match dim.as_constant() {
            Some(dim) if (dim as usize).is_multiple_of(*size) => kernel.push(dim as usize / size),
            _ => return unsupported("windows of unequal or open size"),
        }
    }
    average(
        cx,
        [x, out],
        [&kernel, &kernel, &vec![0; sizes.len()]],
        true,
        false,
    )
}
