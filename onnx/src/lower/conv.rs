//! Convolutions.

use burn_ir::TensorIr;

use super::context::{Context, Lowered};
use crate::graph::build::{Attr, Attrs};

/// The numbers of a convolution, along each of its axes.
pub(super) struct Window<'a> {
    pub stride: &'a [usize],
    pub padding: Vec<(usize, usize)>,
    pub dilation: &'a [usize],
    pub groups: usize,
}

impl Window<'_> {
    fn attrs(&self) -> Attrs {
        let all = |values: &[usize]| Attr::Ints(values.iter().map(|v| *v as i64).collect());
        let pads: Vec<usize> = self
            .padding
            .iter()
            .map(|(before, _)| *before)
            .chain(self.padding.iter().map(|(_, after)| *after))
            .collect();
        vec![
            ("strides", all(self.stride)),
            ("pads", all(&pads)),
            ("dilations", all(self.dilation)),
            ("group", Attr::Int(self.groups as i64)),
        ]
    }
}

/// A convolution, or with `padding_out` a transposed one.
pub(super) fn conv(
    cx: &mut Context,
    [x, weight]: [&TensorIr; 2],
    bias: Option<&TensorIr>,
    window: &Window,
    padding_out: Option<&[usize]>,
    out: &TensorIr,
) -> Lowered {
    let mut inputs = vec![cx.get(x)?, cx.get(weight)?];
    if let Some(bias) = bias {
        inputs.push(cx.get(bias)?);
    }
    let (dtype, shape) = (cx.dtype(inputs[0]), cx.shape_of(out)?);
    let mut attrs = window.attrs();
    let value = match padding_out {
        None => cx.emit("Conv", &inputs, attrs, dtype, shape),
        Some(padding) => {
            let padding = padding.iter().map(|v| *v as i64).collect();
            attrs.push(("output_padding", Attr::Ints(padding)));
            cx.emit("ConvTranspose", &inputs, attrs, dtype, shape)
        }
    };
    cx.bind(out, value)
}
