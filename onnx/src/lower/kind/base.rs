//! Operations on tensors of any kind.

use burn_ir::BaseOperationIr as Base;

use crate::lower::context::{Context, Lowered};
use crate::lower::{assign, compare, create, elementwise, index, layout, logical_reduce, unfold};

/// Appends the nodes of an operation on tensors of any kind.
pub(super) fn lower(cx: &mut Context, op: &Base) -> Lowered {
    match op {
        Base::Reshape(op) => layout::reshape(cx, op),
        Base::SwapDims(op) => layout::swap_dims(cx, op),
        Base::Permute(op) => layout::permute(cx, op),
        Base::Flip(op) => layout::flip(cx, op),
        Base::Expand(op) => layout::expand(cx, op),
        Base::Slice(op) => layout::slice(cx, op),
        Base::SliceAssign(op) => assign::slice_assign(cx, op),
        Base::RepeatDim(op) => layout::repeat(cx, op),
        Base::Cat(op) => layout::cat(cx, op),
        Base::Select(op) => index::select(cx, op),
        Base::SelectAssign(op) => index::select_assign(cx, op),
        Base::Gather(op) => index::gather(cx, op),
        Base::Scatter(op) => index::scatter(cx, op),
        Base::ScatterNd(op) => index::scatter_nd(cx, op),
        Base::GatherNd(op) => index::gather_nd(cx, op),
        Base::MaskWhere(op) => compare::mask_where(cx, op),
        Base::MaskFill(op) => compare::mask_fill(cx, op),
        Base::Equal(op) => compare::tensors(cx, op, "Equal", false),
        Base::EqualElem(op) => compare::scalar(cx, op, "Equal", false),
        Base::NotEqual(op) => compare::tensors(cx, op, "Equal", true),
        Base::NotEqualElem(op) => compare::scalar(cx, op, "Equal", true),
        Base::Cast(op) => elementwise::cast(cx, &op.input, &op.out),
        Base::Empty(op) | Base::Zeros(op) => create::fill(cx, op, 0.0),
        Base::Ones(op) => create::fill(cx, op, 1.0),
        Base::All(op) => logical_reduce::all(cx, op, "ReduceMin"),
        Base::Any(op) => logical_reduce::all(cx, op, "ReduceMax"),
        Base::AllDim(op) => logical_reduce::dim(cx, op, "ReduceMin"),
        Base::AnyDim(op) => logical_reduce::dim(cx, op, "ReduceMax"),
        Base::Unfold(op) => unfold::unfold(cx, op),
    }
}
