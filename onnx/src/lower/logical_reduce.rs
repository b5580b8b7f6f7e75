//! Whether all, or any, elements are true, or other than zero.

use burn_ir::{ReduceDimOpIr, ReduceOpIr};

use super::context::{Context, Lowered};
use super::reduce::flatten;
use crate::graph::build::{DataType, ValueId};

/// Over everything: the result has shape `[1]`.
pub(super) fn all(cx: &mut Context, op: &ReduceOpIr, name: &'static str) -> Lowered {
    let input = cx.get(&op.input)?;
    let flat = flatten(cx, input);
    let out = along(cx, flat, 0, name)?;
    cx.bind(&op.out, out)
}

/// Along one axis, which stays with length one.
pub(super) fn dim(cx: &mut Context, op: &ReduceDimOpIr, name: &'static str) -> Lowered {
    let input = cx.get(&op.input)?;
    let out = along(cx, input, op.axis, name)?;
    cx.bind(&op.out, out)
}

/// Logic is the extreme of zeros and ones.
fn along(cx: &mut Context, value: ValueId, axis: usize, name: &'static str) -> Lowered<ValueId> {
    let dtype = cx.dtype(value);
    let truth = if dtype == DataType::Bool {
        value
    } else {
        let zero = cx.scalar(dtype, 0.0);
        let none = cx.compare("Equal", value, zero)?;
        cx.unary("Not", none)
    };
    let numbers = cx.cast(truth, DataType::Int32);
    let out = cx.reduce(name, numbers, &[axis]);
    // Of nothing, the largest is the smallest number, and the smallest the largest.
    let zero = cx.scalar(DataType::Int32, 0.0);
    cx.compare("Greater", out, zero)
}
