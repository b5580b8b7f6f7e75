//! Sums, extremes, orders and running totals.

use burn_ir::{
    DimOpIr, ReduceDimOpIr, ReduceDimWithIndicesOpIr, ReduceDimsOpIr, ReduceOpIr, SortOpIr,
    SortWithIndicesOpIr, TensorIr, TopKWithIndicesOpIr,
};

use super::context::{Context, Lowered};
use crate::expr::Expr;
use crate::graph::{Attr, DataType, ValueId};

/// Along one axis, which stays with length one.
pub(super) fn dim(cx: &mut Context, op: &ReduceDimOpIr, name: &'static str) -> Lowered {
    let input = cx.get(&op.input)?;
    let out = along(cx, input, &[op.axis], name);
    cx.bind(&op.out, out)
}

/// Along several axes, which stay with length one.
pub(super) fn dims(cx: &mut Context, op: &ReduceDimsOpIr, name: &'static str) -> Lowered {
    let input = cx.get(&op.input)?;
    let out = along(cx, input, &op.axes, name);
    cx.bind(&op.out, out)
}

/// Over everything: the result has shape `[1]`.
pub(super) fn all(cx: &mut Context, op: &ReduceOpIr, name: &'static str) -> Lowered {
    let input = cx.get(&op.input)?;
    let flat = flatten(cx, input);
    let out = along(cx, flat, &[0], name);
    cx.bind(&op.out, out)
}

fn flatten(cx: &mut Context, value: ValueId) -> ValueId {
    let count = cx
        .shape(value)
        .iter()
        .fold(Expr::constant(1), |count, dim| count.mul(dim));
    cx.reshape(value, &[count])
}

fn along(cx: &mut Context, value: ValueId, axes: &[usize], name: &'static str) -> ValueId {
    // Logic is the extreme of zeros and ones.
    if cx.dtype(value) == DataType::Bool {
        let numbers = cx.cast(value, DataType::Int32);
        let out = cx.reduce(name, numbers, axes);
        return cx.cast(out, DataType::Bool);
    }
    cx.reduce(name, value, axes)
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
    let out = arg_of(cx, input, op.axis, name);
    cx.bind(&op.out, out)
}

fn arg_of(cx: &mut Context, input: ValueId, axis: usize, name: &'static str) -> ValueId {
    // ONNX Runtime has no ArgMax of 64-bit integers.
    let input = match cx.dtype(input) {
        DataType::Int64 => cx.cast(input, DataType::Int32),
        _ => input,
    };
    let mut shape = cx.shape(input);
    shape[axis] = Expr::constant(1);
    let attrs = vec![("axis", Attr::Int(axis as i64)), ("keepdims", Attr::Int(1))];
    cx.emit(name, &[input], attrs, DataType::Int64, shape)
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
    let indices = arg_of(cx, input, op.dim, arg);
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

/// Running sums.
pub(super) fn cumsum(cx: &mut Context, op: &DimOpIr) -> Lowered {
    let input = cx.get(&op.input)?;
    let (dtype, shape) = (cx.dtype(input), cx.shape(input));
    let axis = cx.scalar(DataType::Int64, op.axis as f64);
    let out = cx.emit("CumSum", &[input, axis], vec![], dtype, shape);
    cx.bind(&op.out, out)
}
