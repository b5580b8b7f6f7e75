//! Operations on integers and on booleans.

use burn_ir::{BoolOperationIr as Bool, IntOperationIr as Int};

use crate::lower::context::{Context, Lowered};
use crate::lower::shift::{self, Direction};
use crate::lower::{elementwise, matmul};

/// Appends the nodes of an operation on booleans.
pub(super) fn lower_bool(cx: &mut Context, op: &Bool) -> Lowered {
    match op {
        Bool::IntoFloat(op) => elementwise::cast(cx, &op.input, &op.out),
        Bool::IntoInt(op) => elementwise::count(cx, op),
        Bool::Not(op) => elementwise::unary(cx, op, "Not"),
        Bool::And(op) => elementwise::binary(cx, op, "And"),
        Bool::Or(op) => elementwise::binary(cx, op, "Or"),
        Bool::Xor(op) => elementwise::binary(cx, op, "Xor"),
    }
}

/// Appends the nodes of an operation on integers.
pub(super) fn lower(cx: &mut Context, op: &Int) -> Lowered {
    match op {
        Int::IntoFloat(op) => elementwise::cast(cx, &op.input, &op.out),
        Int::BitwiseAnd(op) => elementwise::binary(cx, op, "BitwiseAnd"),
        Int::BitwiseAndScalar(op) => elementwise::scalar(cx, op, "BitwiseAnd"),
        Int::BitwiseOr(op) => elementwise::binary(cx, op, "BitwiseOr"),
        Int::BitwiseOrScalar(op) => elementwise::scalar(cx, op, "BitwiseOr"),
        Int::BitwiseXor(op) => elementwise::binary(cx, op, "BitwiseXor"),
        Int::BitwiseXorScalar(op) => elementwise::scalar(cx, op, "BitwiseXor"),
        Int::BitwiseNot(op) => elementwise::unary(cx, op, "BitwiseNot"),
        Int::BitwiseLeftShift(op) => shift::tensors(cx, op, Direction::Left),
        Int::BitwiseLeftShiftScalar(op) => shift::scalar(cx, op, Direction::Left),
        Int::BitwiseRightShift(op) => shift::tensors(cx, op, Direction::Right),
        Int::BitwiseRightShiftScalar(op) => shift::scalar(cx, op, Direction::Right),
        Int::Matmul(op) => matmul::integers(cx, op),
    }
}
