//! Normalization.

use burn_ir::{BatchNormOpIr, LayerNormOpIr};

use super::context::{Context, Lowered};
use crate::graph::build::Attr;

/// Over the last axis.
pub(super) fn layer_norm(cx: &mut Context, op: &LayerNormOpIr) -> Lowered {
    let mut inputs = vec![cx.get(&op.input)?, cx.get(&op.gamma)?];
    if let Some(beta) = &op.beta {
        inputs.push(cx.get(beta)?);
    }
    let attrs = vec![
        ("axis", Attr::Int(-1)),
        ("epsilon", Attr::Float(op.epsilon.elem::<f32>())),
    ];
    let (dtype, shape) = (cx.dtype(inputs[0]), cx.shape(inputs[0]));
    let out = cx.emit("LayerNormalization", &inputs, attrs, dtype, shape);
    cx.bind(&op.out, out)
}

/// With given statistics, over `[batch, channels, ..]`.
pub(super) fn batch_norm(cx: &mut Context, op: &BatchNormOpIr) -> Lowered {
    let inputs = [
        cx.get(&op.x)?,
        cx.get(&op.gamma)?,
        cx.get(&op.beta)?,
        cx.get(&op.mean)?,
        cx.get(&op.variance)?,
    ];
    let attrs = vec![("epsilon", Attr::Float(op.epsilon.elem::<f32>()))];
    let (dtype, shape) = (cx.dtype(inputs[0]), cx.shape(inputs[0]));
    let out = cx.emit("BatchNormalization", &inputs, attrs, dtype, shape);
    cx.bind(&op.out, out)
}
