//! Elements taken from, and written to, places given by a tensor.

use burn::tensor::IndexingUpdateOp;
use burn_ir::{
    EmbeddingOpIr, GatherNdOpIr, GatherOpIr, ScatterNdOpIr, ScatterOpIr, SelectAssignOpIr,
    SelectOpIr,
};

use super::context::{Context, Lowered};
use crate::expr::Expr;
use crate::graph::build::{Attr, Attrs, DataType, ValueId};

/// `[.., axis, ..]` by `[indices..]`: the indices' axes stand where the axis was.
pub(super) fn take(cx: &mut Context, data: ValueId, indices: ValueId, axis: usize) -> ValueId {
    let (dtype, mut shape) = (cx.dtype(data), cx.shape(data));
    shape.splice(axis..=axis, cx.shape(indices));
    cx.emit(
        "Gather",
        &[data, indices],
        vec![("axis", Attr::Int(axis as i64))],
        dtype,
        shape,
    )
}

/// Whole slices along an axis.
pub(super) fn select(cx: &mut Context, op: &SelectOpIr) -> Lowered {
    let (data, indices) = (cx.get(&op.tensor)?, cx.get(&op.indices)?);
    let out = take(cx, data, indices, op.dim);
    cx.bind(&op.out, out)
}

/// Rows of a table: `[rows, width]` by `[batch, seq]` gives `[batch, seq, width]`.
pub(super) fn embedding(cx: &mut Context, op: &EmbeddingOpIr) -> Lowered {
    let (table, indices) = (cx.get(&op.weights)?, cx.get(&op.indices)?);
    let out = take(cx, table, indices, 0);
    cx.bind(&op.out, out)
}

/// Single elements along an axis.
pub(super) fn gather(cx: &mut Context, op: &GatherOpIr) -> Lowered {
    let (data, indices) = (cx.get(&op.tensor)?, cx.get(&op.indices)?);
    let (dtype, shape) = (cx.dtype(data), cx.shape(indices));
    let attrs = vec![("axis", Attr::Int(op.dim as i64))];
    let out = cx.emit("GatherElements", &[data, indices], attrs, dtype, shape);
    cx.bind(&op.out, out)
}

/// Slices at places given by vectors of indices.
pub(super) fn gather_nd(cx: &mut Context, op: &GatherNdOpIr) -> Lowered {
    let (data, indices) = (cx.get(&op.data)?, cx.get(&op.indices)?);
    let (dtype, shape) = (cx.dtype(data), cx.shape_of(&op.out)?);
    let out = cx.emit("GatherND", &[data, indices], vec![], dtype, shape);
    cx.bind(&op.out, out)
}

fn reduction(update: &IndexingUpdateOp) -> Attrs {
    let name = match update {
        IndexingUpdateOp::Assign => return vec![],
        IndexingUpdateOp::Add => "add",
        IndexingUpdateOp::Mul => "mul",
        IndexingUpdateOp::Min => "min",
        IndexingUpdateOp::Max => "max",
    };
    vec![("reduction", Attr::Text(name))]
}

/// Writes `value` into `tensor` at `indices` of an axis; all three have the same rank. Burn has one
/// update of booleans beside assignment: `or`.
fn scatter_elements(
    cx: &mut Context,
    inputs: [ValueId; 3],
    axis: usize,
    update: &IndexingUpdateOp,
) -> ValueId {
    let logic =
        cx.dtype(inputs[0]) == DataType::Bool && !matches!(update, IndexingUpdateOp::Assign);
    let (inputs, update) = if logic {
        let number = |cx: &mut Context, value| cx.cast(value, DataType::Int32);
        let [tensor, indices, value] = inputs;
        let inputs = [number(cx, tensor), indices, number(cx, value)];
        (inputs, &IndexingUpdateOp::Add)
    } else {
        (inputs, update)
    };
    let mut attrs = reduction(update);
    attrs.push(("axis", Attr::Int(axis as i64)));
    let (dtype, shape) = (cx.dtype(inputs[0]), cx.shape(inputs[0]));
    cx.emit("ScatterElements", &inputs, attrs, dtype, shape)
}

/// Single elements written along an axis.
pub(super) fn scatter(cx: &mut Context, op: &ScatterOpIr) -> Lowered {
    let inputs = [
        cx.get(&op.tensor)?,
        cx.get(&op.indices)?,
        cx.get(&op.value)?,
    ];
    let out = scatter_elements(cx, inputs, op.dim, &op.update);
    cx.bind(&op.out, out)
}

/// Whole slices written along an axis.
pub(super) fn select_assign(cx: &mut Context, op: &SelectAssignOpIr) -> Lowered {
    let inputs = [
        cx.get(&op.tensor)?,
        cx.get(&op.indices)?,
        cx.get(&op.value)?,
    ];
    let out = write_slices(cx, inputs, op.dim, &op.update);
    cx.bind(&op.out, out)
}

/// Whole slices replaced along an axis, at the places `[count]`.
pub(super) fn write(cx: &mut Context, inputs: [ValueId; 3], axis: usize) -> ValueId {
    write_slices(cx, inputs, axis, &IndexingUpdateOp::Assign)
}

/// Every element of a slice has the slice's index.
fn write_slices(
    cx: &mut Context,
    [tensor, indices, value]: [ValueId; 3],
    axis: usize,
    update: &IndexingUpdateOp,
) -> ValueId {
    let full = cx.shape(value);
    let mut column = vec![Expr::constant(1); full.len()];
    column[axis] = full[axis].clone();
    let indices = cx.reshape(indices, &column);
    let indices = cx.expand(indices, &full);
    scatter_elements(cx, [tensor, indices, value], axis, update)
}

/// Slices written at places given by vectors of indices.
pub(super) fn scatter_nd(cx: &mut Context, op: &ScatterNdOpIr) -> Lowered {
    let inputs = [cx.get(&op.data)?, cx.get(&op.indices)?, cx.get(&op.values)?];
    let (dtype, shape) = (cx.dtype(inputs[0]), cx.shape(inputs[0]));
    let value = cx.emit("ScatterND", &inputs, reduction(&op.reduction), dtype, shape);
    cx.bind(&op.out, value)
}
