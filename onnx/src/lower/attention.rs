//! Scaled dot-product attention, in parts.

use burn_ir::AttentionOpIr;

use super::context::{Context, Lowered};
use crate::expr::Expr;
use crate::graph::{Attr, DataType, ValueId};

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
    let mut mask = None;
    if let Some(given) = &op.mask {
        mask = Some(cx.get(given)?);
    }
    if op.options.is_causal {
        let causal = causal(cx, scores)?;
        mask = Some(match mask {
            Some(mask) => cx.binary("Or", mask, causal)?,
            None => causal,
        });
    }
    let weights = match (mask, &op.attn_bias) {
        (None, None) => softmax(cx, scores),
        (Some(mask), None) => masked(cx, scores, mask)?,
        (mask, Some(bias)) => {
            if let Some(mask) = mask {
                let never = cx.scalar(dtype, f64::NEG_INFINITY);
                scores = cx.select(mask, never, scores)?;
            }
            let bias = cx.get(bias)?;
            let scores = cx.binary("Add", scores, bias)?;
            guarded(cx, scores)?
        }
    };
    let out = cx.matmul(weights, value)?;
    cx.bind(&op.out, out)
}

fn softmax(cx: &mut Context, scores: ValueId) -> ValueId {
    let (dtype, shape) = (cx.dtype(scores), cx.shape(scores));
    cx.emit(
        "Softmax",
        &[scores],
        vec![("axis", Attr::Int(-1))],
        dtype,
        shape,
    )
}

/// The smallest finite number: -inf in a whole row would make softmax divide 0 by 0.
fn lowest(dtype: DataType) -> f64 {
    match dtype {
        DataType::Float16 => -65504.0,
        DataType::Double => f64::MIN,
        _ => f64::from(f32::MIN),
    }
}

/// A masked place has weight 0, in a row of nothing else too.
fn masked(cx: &mut Context, scores: ValueId, mask: ValueId) -> Lowered<ValueId> {
    let dtype = cx.dtype(scores);
    let (low, zero) = (cx.scalar(dtype, lowest(dtype)), cx.scalar(dtype, 0.0));
    let scores = cx.select(mask, low, scores)?;
    let weights = softmax(cx, scores);
    cx.select(mask, zero, weights)
}

/// With a bias nobody knows where -inf stands: Burn's own formula, its bounds included.
fn guarded(cx: &mut Context, scores: ValueId) -> Lowered<ValueId> {
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
    cx.binary("Div", exp, sum)
}

/// `[query, key]`: true where the key comes after the query, aligned at the last of both.
fn causal(cx: &mut Context, scores: ValueId) -> Lowered<ValueId> {
    let shape = cx.shape(scores);
    let (rows, columns) = (shape[2].clone(), shape[3].clone());
    let offset = columns.sub(&rows);
    let row = super::create::count(cx, &offset, &rows)?; // [query], from key - query
    let row = cx.reshape(row, &[rows, Expr::constant(1)]);
    let column = super::create::count(cx, &Expr::constant(0), &columns)?; // [key]
    cx.compare("Less", row, column)
}
