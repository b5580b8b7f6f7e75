//! Scaled dot-product attention, in parts.

use burn_ir::AttentionOpIr;

use super::context::{Context, Lowered};
use crate::expr::Expr;
use crate::graph::build::{Attr, DataType, ValueId};

/// `softmax(query · keyᵗ · scale) · value`, as Burn computes it:
/// softcap, then mask and causal mask, then the additive bias. Fully masked rows give 0.
pub(super) fn attention(cx: &mut Context, op: &AttentionOpIr) -> Lowered {
    // query: [batch, heads, query, head_dim]; key, value: [batch, heads, key, head_dim]
    let (query, key, value) = (cx.get(&op.query)?, cx.get(&op.key)?, cx.get(&op.value)?);
    let dtype = cx.dtype(query);
    let scale = match (
        &op.options.scale,
        cx.shape(query).last().and_then(Expr::as_constant),
    ) {
        (Some(scale), _) => scale.elem::<f64>(),
        (None, Some(head_dim)) => 1.0 / (head_dim as f64).sqrt(),
        (None, None) => return super::context::unsupported("a head size that varies"),
    };
    let mut mask = match &op.mask {
        Some(given) => Some(cx.get(given)?),
        None => None,
    };
    if op.options.is_causal {
        let (rows, columns) = (cx.shape(query)[2].clone(), cx.shape(key)[2].clone());
        let causal = causal(cx, rows, columns)?;
        mask = Some(match mask {
            Some(mask) => cx.binary("Or", mask, causal)?,
            None => causal,
        });
    }
    if cx.forms().attention && op.options.softcap.is_none() {
        let bias = op.attn_bias.as_ref().map(|bias| cx.get(bias)).transpose()?;
        let out = fused(cx, [query, key, value], scale, mask, bias)?;
        return cx.bind(&op.out, out);
    }
    let key = cx.transpose_last(key);
    let mut scores = cx.matmul(query, key)?; // [batch, heads, query, key]
    if scale != 1.0 {
        let scale = cx.scalar(dtype, scale);
        scores = cx.binary("Mul", scores, scale)?;
    }
    if let Some(cap) = &op.options.softcap {
        let cap = cx.scalar(dtype, cap.elem::<f64>());
        let scaled = cx.binary("Div", scores, cap)?;
        let tanh = cx.unary("Tanh", scaled);
        scores = cx.binary("Mul", tanh, cap)?;
    }
    let out = match (mask, &op.attn_bias) {
        (None, None) => weighted(cx, scores, value)?,
        (Some(mask), None) => masked(cx, scores, mask, value)?,
        (mask, Some(bias)) => {
            if let Some(mask) = mask {
                let never = cx.scalar(dtype, f64::NEG_INFINITY);
                scores = cx.select(mask, never, scores)?;
            }
            let bias = cx.get(bias)?;
            let scores = cx.binary("Add", scores, bias)?;
            guarded(cx, scores, value)?
        }
    };
    cx.bind(&op.out, out)
}

/// One `Attention` node. Its mask says what is seen, where Burn's says what is hidden; with a
/// bias, both are one addend. Where a target has this form, it was seen to give 0 for rows that
/// are masked whole.
fn fused(
    cx: &mut Context,
    inputs: [ValueId; 3],
    scale: f64,
    mask: Option<ValueId>,
    bias: Option<ValueId>,
) -> Lowered<ValueId> {
    let dtype = cx.dtype(inputs[0]);
    let mut shape = cx.shape(inputs[0]);
    shape[3] = cx.shape(inputs[2])[3].clone();
    let mut inputs = inputs.to_vec();
    match (mask, bias) {
        (None, None) => {}
        (Some(mask), None) => {
            let seen = cx.unary("Not", mask);
            inputs.push(seen);
        }
        (None, Some(bias)) => inputs.push(bias),
        (Some(mask), Some(bias)) => {
            let never = cx.scalar(dtype, f64::NEG_INFINITY);
            let addend = cx.select(mask, never, bias)?;
            inputs.push(addend);
        }
    }
    let attrs = vec![("scale", Attr::Float(scale as f32))];
    Ok(cx.emit("Attention", &inputs, attrs, dtype, shape))
}

/// `softmax(scores) · value`
fn weighted(cx: &mut Context, scores: ValueId, value: ValueId) -> Lowered<ValueId> {
    let (dtype, shape) = (cx.dtype(scores), cx.shape(scores));
    let attrs = vec![("axis", Attr::Int(-1))];
    let weights = cx.emit("Softmax", &[scores], attrs, dtype, shape);
    cx.matmul(weights, value)
}

/// The smallest finite number.
fn lowest(dtype: DataType) -> f64 {
    match dtype {
        DataType::Float16 => -65504.0,
        DataType::Double => f64::MIN,
        _ => f64::from(f32::MIN),
    }
}

/// A masked place has weight 0, in a row of nothing else too. Adding what is computed once for
/// all layers is faster than choosing score by score, and the rows are shorter at the end than
/// before `value`: ONNX Runtime 1.32 took a third of the time for it.
fn masked(cx: &mut Context, scores: ValueId, mask: ValueId, value: ValueId) -> Lowered<ValueId> {
    let dtype = cx.dtype(scores);
    let (low, zero) = (cx.scalar(dtype, lowest(dtype)), cx.scalar(dtype, 0.0));
    // The sum brings it to the shape of the scores.
    let mask = unexpanded(cx, mask);
    let addend = cx.select(mask, low, zero)?;
    let scores = cx.binary("Add", scores, addend)?;
    let out = weighted(cx, scores, value)?;
    let highest = cx.reduce("ReduceMax", addend, &[cx.rank(addend) - 1]);
    let hidden = cx.compare("Less", highest, zero)?; // [.., query, 1]
    cx.select(hidden, zero, out)
}

/// What was before it was expanded.
fn unexpanded(cx: &Context, mut value: ValueId) -> ValueId {
    let maker = |value: ValueId| {
        let mut nodes = cx.graph.nodes.iter().rev();
        let node = nodes.find(|node| node.outputs.contains(&value))?;
        (node.op == "Expand").then(|| node.inputs[0]).flatten()
    };
    while let Some(smaller) = maker(value) {
        value = smaller;
    }
    value
}

/// With a bias nobody knows where -inf stands: Burn's own formula, its bounds included.
fn guarded(cx: &mut Context, scores: ValueId, value: ValueId) -> Lowered<ValueId> {
    let dtype = cx.dtype(scores);
    let axis = cx.rank(scores) - 1;
    let least = match dtype {
        DataType::Float16 => 6.103_515_625e-5,
        DataType::Double => f64::MIN_POSITIVE,
        _ => f64::from(f32::MIN_POSITIVE),
    };
    let (low, least) = (cx.scalar(dtype, lowest(dtype)), cx.scalar(dtype, least));
    let highest = cx.reduce("ReduceMax", scores, &[axis]);
    let highest = cx.binary("Max", highest, low)?;
    let shifted = cx.binary("Sub", scores, highest)?;
    let exp = cx.unary("Exp", shifted);
    let sum = cx.reduce("ReduceSum", exp, &[axis]);
    let sum = cx.binary("Max", sum, least)?;
    let weights = cx.binary("Div", exp, sum)?;
    cx.matmul(weights, value)
}

/// `[query, key]`: true where the key comes after the query, aligned at the last of both.
fn causal(cx: &mut Context, rows: Expr, columns: Expr) -> Lowered<ValueId> {
    let offset = columns.sub(&rows);
    let row = super::create::count(cx, &offset, &rows)?; // [query], from key - query
    let row = cx.reshape(row, &[rows, Expr::constant(1)]);
    let column = super::create::count(cx, &Expr::constant(0), &columns)?; // [key]
    cx.compare("Less", row, column)
}
