//! An image read at places that a tensor gives.

use burn_ir::{GridSample2dOpIr, GridSamplePaddingModeIr as Padding, InterpolateModeIr as Mode};

use super::context::{Context, Lowered, unsupported};
use crate::graph::build::Attr;

/// `[batch, channels, height, width]` at `[batch, rows, columns, 2]` (x and y in -1..1).
pub(super) fn sample(cx: &mut Context, op: &GridSample2dOpIr) -> Lowered {
    let inputs = [cx.get(&op.tensor)?, cx.get(&op.grid)?];
    let mode = match op.options.mode {
        Mode::Nearest => "nearest",
        Mode::Bilinear => "bilinear",
        Mode::Bicubic => "bicubic",
        Mode::NearestExact | Mode::Lanczos3 => {
            return unsupported("ONNX reads a grid nearest, bilinear or bicubic");
        }
    };
    let padding = match op.options.padding_mode {
        Padding::Zeros => "zeros",
        Padding::Border => "border",
        Padding::Reflection => "reflection",
    };
    let attrs = vec![
        ("mode", Attr::Text(mode)),
        ("padding_mode", Attr::Text(padding)),
        ("align_corners", Attr::Int(op.options.align_corners.into())),
    ];
    let (dtype, shape) = (cx.dtype(inputs[0]), cx.shape_of(&op.out)?);
    let out = cx.emit("GridSample", &inputs, attrs, dtype, shape);
    cx.bind(&op.out, out)
}
