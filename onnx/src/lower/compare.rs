//! Comparisons, logic, and choices by a mask.

use burn_ir::{BinaryOpIr, MaskFillOpIr, MaskWhereOpIr, ScalarOpIr};

use super::context::{Context, Lowered};
use crate::graph::build::{DataType, ValueId};

/// `lhs op rhs`, negated where there is no operator for it.
pub(super) fn tensors(cx: &mut Context, op: &BinaryOpIr, name: &'static str, not: bool) -> Lowered {
    let (a, b) = (cx.get(&op.lhs)?, cx.get(&op.rhs)?);
    let out = compare(cx, a, b, name, not)?;
    cx.bind(&op.out, out)
}

/// The same with the operation's scalar on the right.
pub(super) fn scalar(cx: &mut Context, op: &ScalarOpIr, name: &'static str, not: bool) -> Lowered {
    let a = cx.get(&op.lhs)?;
    let b = cx.op_scalar(0, cx.dtype(a))?;
    let out = compare(cx, a, b, name, not)?;
    cx.bind(&op.out, out)
}

fn compare(
    cx: &mut Context,
    a: ValueId,
    b: ValueId,
    name: &'static str,
    not: bool,
) -> Lowered<ValueId> {
    if name == "Equal" && cx.dtype(a) == DataType::Bool {
        // tract compares numbers only.
        let differ = cx.binary("Xor", a, b)?;
        return Ok(if not { differ } else { cx.unary("Not", differ) });
    }
    let out = cx.compare(name, a, b)?;
    Ok(if not { cx.unary("Not", out) } else { out })
}

/// `mask ? value : tensor`
pub(super) fn mask_where(cx: &mut Context, op: &MaskWhereOpIr) -> Lowered {
    let (tensor, mask, value) = (cx.get(&op.tensor)?, cx.get(&op.mask)?, cx.get(&op.value)?);
    let out = cx.select(mask, value, tensor)?;
    cx.bind(&op.out, out)
}

/// `mask ? scalar : tensor`
pub(super) fn mask_fill(cx: &mut Context, op: &MaskFillOpIr) -> Lowered {
    let (tensor, mask) = (cx.get(&op.tensor)?, cx.get(&op.mask)?);
    let value = cx.op_scalar(0, cx.dtype(tensor))?;
    let out = cx.select(mask, value, tensor)?;
    cx.bind(&op.out, out)
}
