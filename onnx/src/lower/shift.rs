//! Shifts of signed integers, which ONNX has for unsigned ones only: products and floored
//! quotients with powers of two. As in Burn, the amount counts modulo the width of the type.

use burn_ir::{BinaryOpIr, ScalarOpIr};

use super::context::{Context, Lowered};
use super::index::take;
use crate::graph::build::{DataType, ValueId};

/// Toward the high or the low bits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Left,
    Right,
}

/// By a tensor of amounts.
pub(super) fn tensors(cx: &mut Context, op: &BinaryOpIr, direction: Direction) -> Lowered {
    let (x, amount) = (cx.get(&op.lhs)?, cx.get(&op.rhs)?);
    let out = open(cx, x, amount, direction)?;
    cx.bind(&op.out, out)
}

/// By the operation's scalar.
pub(super) fn scalar(cx: &mut Context, op: &ScalarOpIr, direction: Direction) -> Lowered {
    let x = cx.get(&op.lhs)?;
    let Ok(bits) = cx.fixed_scalar(0) else {
        let amount = cx.op_scalar(0, DataType::Int64)?;
        let out = open(cx, x, amount, direction)?;
        return cx.bind(&op.out, out);
    };
    let (wide, width) = types(cx.dtype(x));
    let bits = (bits as i64).rem_euclid(width);
    // The highest power of two is no positive number of the type: two steps.
    let steps = match bits {
        0 => vec![],
        bits if bits < width - 1 => vec![bits],
        bits => vec![bits / 2, bits - bits / 2],
    };
    let mut out = cx.cast(x, wide);
    for step in steps {
        let factor = cx.scalar(wide, (step as f64).exp2());
        out = by(cx, out, factor, direction)?;
    }
    cx.bind(&op.out, out)
}

/// The type to compute in, and the width of the operands' own.
fn types(dtype: DataType) -> (DataType, i64) {
    let wide = match dtype {
        DataType::Int32 | DataType::Uint32 | DataType::Uint64 => dtype,
        _ => DataType::Int64,
    };
    (wide, 8 * dtype.size() as i64)
}

/// By amounts known at run time: in two halves, whose powers of two stand in a table.
fn open(cx: &mut Context, x: ValueId, amount: ValueId, to: Direction) -> Lowered<ValueId> {
    let (wide, width) = types(cx.dtype(x));
    let powers: Vec<i64> = (0..=width / 2).map(|bits| 1 << bits).collect();
    let table = cx.ints(&powers);
    let table = cx.cast(table, wide);
    let (width, two) = (
        cx.scalar(DataType::Int64, width as f64),
        cx.scalar(DataType::Int64, 2.0),
    );
    let amount = cx.cast(amount, DataType::Int64);
    let amount = cx.binary("Mod", amount, width)?;
    let half = cx.binary("Div", amount, two)?;
    let rest = cx.binary("Sub", amount, half)?;
    let mut out = cx.cast(x, wide);
    for places in [half, rest] {
        let factor = take(cx, table, places, 0);
        out = by(cx, out, factor, to)?;
    }
    Ok(out)
}

/// By the exponent of a power of two.
fn by(cx: &mut Context, x: ValueId, power: ValueId, to: Direction) -> Lowered<ValueId> {
    if to == Direction::Left {
        return cx.binary("Mul", x, power);
    }
    // ONNX divides toward zero: without the remainder, which is not negative, the quotient is
    // exact.
    let rest = cx.binary("Mod", x, power)?;
    let whole = cx.binary("Sub", x, rest)?;
    cx.binary("Div", whole, power)
}
