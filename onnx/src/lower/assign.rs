//! A tensor with a part of it replaced.

use burn_ir::SliceAssignOpIr;

use super::context::{Context, Lowered};
use super::index::write;
use super::layout::{cut, steps, whole};
use crate::expr::Expr;
use crate::graph::build::ValueId;
use crate::symbolic::Range;

/// What stands before, between and after, joined; or written by index where a step leaves gaps.
pub(super) fn slice_assign(cx: &mut Context, op: &SliceAssignOpIr) -> Lowered {
    let (tensor, value) = (cx.get(&op.tensor)?, cx.get(&op.value)?);
    let ranges = cx.op()?.ranges.clone();
    let out = assign(cx, tensor, value, &ranges, 0)?;
    cx.bind(&op.out, out)
}

fn assign(
    cx: &mut Context,
    tensor: ValueId,
    value: ValueId,
    ranges: &[Range],
    axis: usize,
) -> Lowered<ValueId> {
    let dims = cx.shape(tensor);
    let Some(range) = ranges.get(axis) else {
        return Ok(value);
    };
    if range.step != 1 {
        return stepped(cx, tensor, value, ranges, axis);
    }
    if range.start.is(0) && range.end == dims[axis] {
        return assign(cx, tensor, value, ranges, axis + 1);
    }
    let mut part = |start: Expr, end: Expr| {
        let length = end.sub(&start);
        if length.is(0) {
            return Ok(None);
        }
        let mut shape = dims.clone();
        shape[axis] = length;
        let mut own = whole(&dims);
        own[axis] = Range {
            start,
            end,
            step: 1,
        };
        cut(cx, tensor, &own, shape).map(Some)
    };
    let before = part(Expr::constant(0), range.start.clone())?;
    let between = part(range.start.clone(), range.end.clone())?;
    let after = part(range.end.clone(), dims[axis].clone())?;
    let between = match between {
        Some(between) => Some(assign(cx, between, value, ranges, axis + 1)?),
        None => None,
    };
    let parts: Vec<ValueId> = [before, between, after].into_iter().flatten().collect();
    Ok(cx.concat(&parts, axis))
}

/// Places a step apart along an axis.
fn stepped(
    cx: &mut Context,
    tensor: ValueId,
    value: ValueId,
    ranges: &[Range],
    axis: usize,
) -> Lowered<ValueId> {
    let (dims, range) = (cx.shape(tensor), &ranges[axis]);
    let length = cx.shape(value)[axis].clone();
    let mut shape = dims.clone();
    shape[axis] = length.clone();
    let mut own = whole(&dims);
    own[axis] = range.clone();
    let between = cut(cx, tensor, &own, shape)?;
    let between = assign(cx, between, value, ranges, axis + 1)?;
    let places = steps(cx, range, &length)?;
    Ok(write(cx, [tensor, places, between], axis))
}
