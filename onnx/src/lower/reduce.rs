//! Sums, extremes and orders.

use burn_ir::{
    ReduceDimOpIr, ReduceDimWithIndicesOpIr, ReduceDimsOpIr, ReduceOpIr, SortOpIr,
    SortWithIndicesOpIr, TensorIr, TopKWithIndicesOpIr,
};

use super::context::{Context, Lowered};
use crate::expr::Expr;
use crate::graph::build::{Attr, DataType, ValueId};

/// Along one axis, which stays with length one.
pub(super) fn dim(cx: &mut Context, op: &ReduceDimOpIr, name: &'static str) -> Lowered {
    let input = cx.get(&op.input)?;
    let out = cx.reduce(name, input, &[op.axis]);
    cx.bind(&op.out, out)
}

/// Along several axes, which stay with length one.
pub(super) fn dims(cx: &mut Context, op: &ReduceDimsOpIr, name: &'static str) -> Lowered {
    let input = cx.get(&op.input)?;
    let out = cx.reduce(name, input, &op.axes);
    cx.bind(&op.out, out)
}

/// Over everything: the result has shape `[1]`.
pub(super) fn all(cx: &mut Context, op: &ReduceOpIr, name: &'static str) -> Lowered {
    let input = cx.get(&op.input)?;
    let flat = flatten(cx, input);
    let out = cx.reduce(name, flat, &[0]);
    cx.bind(&op.out, out)
}

/// Everything in one row.
pub(super) fn flatten(cx: &mut Context, value: ValueId) -> ValueId {
    let count = cx
        .shape(value)
        .iter()
        .fold(Expr::constant(1), |count, dim| count.mul(dim));
    cx.reshape(value, &[count])
}

/// The extreme of absolute values, over everything.
pub(super) fn max_abs(cx: &mut Context, op: &ReduceOpIr) -> Lowered {
    let input = cx.get(&op.input)?;
    let abs = cx.unary("Abs", input);
    let flat = flatten(cx, abs);
    let out = cx.reduce("ReduceMax", flat, &[0]);
    cx.bind(&op.out, out)
}

/// The extreme of absolute values, along one axis.
pub(super) fn max_abs_dim(cx: &mut Context, op: &ReduceDimOpIr) -> Lowered {
    let input = cx.get(&op.input)?;
    let abs = cx.unary("Abs", input);
    let out = cx.reduce("ReduceMax", abs, &[op.axis]);
    cx.bind(&op.out, out)
}

/// Where the extreme stands; the first of equals.
pub(super) fn arg(cx: &mut Context, op: &ReduceDimOpIr, name: &'static str) -> Lowered {
    let input = cx.get(&op.input)?;
    let out = arg_of(cx, input, op.axis, name)?;
    cx.bind(&op.out, out)
}

fn arg_of(cx: &mut Context, input: ValueId, axis: usize, name: &'static str) -> Lowered<ValueId> {
    if !cx.dtype(input).is_float() {
        return arg_of_integers(cx, input, axis, name);
    }
    let mut shape = cx.shape(input);
    shape[axis] = Expr::constant(1);
    let attrs = vec![("axis", Attr::Int(axis as i64)), ("keepdims", Attr::Int(1))];
    Ok(cx.emit(name, &[input], attrs, DataType::Int64, shape))
}

/// Integers are often equal, and rten would take the last of equals; ONNX Runtime has no ArgMax of
/// 64-bit ones. The first place that holds the extreme.
fn arg_of_integers(
    cx: &mut Context,
    input: ValueId,
    axis: usize,
    name: &'static str,
) -> Lowered<ValueId> {
    let reduce = if name == "ArgMax" {
        "ReduceMax"
    } else {
        "ReduceMin"
    };
    let length = cx.shape(input)[axis].clone();
    let extreme = cx.reduce(reduce, input, &[axis]);
    let found = cx.compare("Equal", input, extreme)?;
    let place = super::create::count(cx, &Expr::constant(0), &length)?;
    let mut column = vec![Expr::constant(1); cx.rank(input)];
    column[axis] = length.clone();
    let place = cx.reshape(place, &column);
    let behind = cx.extent_scalar(&length);
    let places = cx.select(found, place, behind)?;
    Ok(cx.reduce("ReduceMin", places, &[axis]))
}

/// The extreme and where it stands.
pub(super) fn with_indices(
    cx: &mut Context,
    op: &ReduceDimWithIndicesOpIr,
    reduce: &'static str,
    arg: &'static str,
) -> Lowered {
    let input = cx.get(&op.tensor)?;
    let out = cx.reduce(reduce, input, &[op.dim]);
    cx.bind(&op.out, out)?;
    let indices = arg_of(cx, input, op.dim, arg)?;
    cx.bind(&op.out_indices, indices)
}

/// The largest `k` in falling order, and where they stand.
fn top(cx: &mut Context, input: ValueId, axis: usize, k: &Expr, largest: bool) -> Vec<ValueId> {
    let count = cx.extent(k);
    let (dtype, mut shape) = (cx.dtype(input), cx.shape(input));
    shape[axis] = k.clone();
    let attrs = vec![
        ("axis", Attr::Int(axis as i64)),
        ("largest", Attr::Int(largest.into())),
        ("sorted", Attr::Int(1)),
    ];
    let results = vec![(dtype, shape.clone()), (DataType::Int64, shape)];
    cx.emit_many("TopK", vec![Some(input), Some(count)], attrs, results)
}

/// The largest values.
pub(super) fn top_k(cx: &mut Context, op: &ReduceDimOpIr, slot: usize) -> Lowered {
    let input = cx.get(&op.input)?;
    let k = cx.shape_of(&op.out)?[op.axis].clone();
    let out = top(cx, input, op.axis, &k, true)[slot];
    cx.bind(&op.out, out)
}

/// The largest values and where they stand.
pub(super) fn top_k_with_indices(cx: &mut Context, op: &TopKWithIndicesOpIr) -> Lowered {
    let input = cx.get(&op.tensor)?;
    let k = cx.shape_of(&op.out)?[op.dim].clone();
    let out = top(cx, input, op.dim, &k, true);
    cx.bind(&op.out, out[0])?;
    cx.bind(&op.out_indices, out[1])
}

/// Everything in order, or (slot 1) where it stands.
pub(super) fn sort(cx: &mut Context, op: &SortOpIr, slot: usize) -> Lowered {
    let out = sorted(cx, &op.input, op.dim, op.descending)?[slot];
    cx.bind(&op.out, out)
}

/// Everything in order, and where it stands.
pub(super) fn sort_with_indices(cx: &mut Context, op: &SortWithIndicesOpIr) -> Lowered {
    let out = sorted(cx, &op.input, op.dim, op.descending)?;
    cx.bind(&op.out, out[0])?;
    cx.bind(&op.out_indices, out[1])
}

fn sorted(cx: &mut Context, input: &TensorIr, axis: usize, falling: bool) -> Lowered<Vec<ValueId>> {
    let input = cx.get(input)?;
    let all = cx.shape(input)[axis].clone();
    Ok(top(cx, input, axis, &all, falling))
}
