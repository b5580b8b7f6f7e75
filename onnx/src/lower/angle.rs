//! The angle and the distance of a point.

use burn_ir::BinaryOpIr;

use super::context::{Context, Lowered};
use crate::graph::build::{DataType, ValueId};

/// The angle of `(x, y)` from the x axis, by the ratio of its shorter side to its longer one; the
/// signs of zeros and infinities count as in C's `atan2`.
pub(super) fn arc_tan2(cx: &mut Context, op: &BinaryOpIr) -> Lowered {
    let (y, x) = (cx.get(&op.lhs)?, cx.get(&op.rhs)?);
    let dtype = cx.dtype(y);
    let (tall, wide) = (cx.unary("Abs", y), cx.unary("Abs", x));
    let (_, ratio) = sides(cx, tall, wide)?;
    let angle = cx.unary("Atan", ratio); // 0 to an eighth of a turn
    let steep = cx.compare("Greater", tall, wide)?;
    let angle = subtracted(cx, steep, std::f64::consts::FRAC_PI_2, angle, dtype)?;
    let left = negative(cx, x)?;
    let angle = subtracted(cx, left, std::f64::consts::PI, angle, dtype)?;
    let below = negative(cx, y)?;
    let mirrored = cx.unary("Neg", angle);
    let out = cx.select(below, mirrored, angle)?;
    cx.bind(&op.out, out)
}

/// The distance of `(a, b)`, of which no square overflows.
pub(super) fn hypot(cx: &mut Context, op: &BinaryOpIr) -> Lowered {
    let (a, b) = (cx.get(&op.lhs)?, cx.get(&op.rhs)?);
    let (a, b) = (cx.unary("Abs", a), cx.unary("Abs", b));
    let (long, ratio) = sides(cx, a, b)?;
    let one = cx.scalar(cx.dtype(a), 1.0);
    let square = cx.binary("Mul", ratio, ratio)?;
    let sum = cx.binary("Add", square, one)?;
    let root = cx.unary("Sqrt", sum);
    let out = cx.binary("Mul", root, long)?;
    cx.bind(&op.out, out)
}

/// The longer of two sides, and the shorter one's share of it: 0 of nothing, 1 of an equal one.
fn sides(cx: &mut Context, tall: ValueId, wide: ValueId) -> Lowered<(ValueId, ValueId)> {
    let dtype = cx.dtype(tall);
    let (zero, one) = (cx.scalar(dtype, 0.0), cx.scalar(dtype, 1.0));
    let (long, short) = (cx.binary("Max", tall, wide)?, cx.binary("Min", tall, wide)?);
    // No 0 / 0, and no infinity over another.
    let nowhere = cx.compare("Equal", long, zero)?;
    let divisor = cx.select(nowhere, one, long)?;
    let ratio = cx.binary("Div", short, divisor)?;
    let diagonal = cx.compare("Equal", tall, wide)?;
    let ratio = cx.select(diagonal, one, ratio)?;
    Ok((long, cx.select(nowhere, zero, ratio)?))
}

/// `mask ? whole - angle : angle`
fn subtracted(
    cx: &mut Context,
    mask: ValueId,
    whole: f64,
    angle: ValueId,
    dtype: DataType,
) -> Lowered<ValueId> {
    let whole = cx.scalar(dtype, whole);
    let rest = cx.binary("Sub", whole, angle)?;
    cx.select(mask, rest, angle)
}

/// Whether the sign is a minus, that of -0 too.
fn negative(cx: &mut Context, value: ValueId) -> Lowered<ValueId> {
    let zero = cx.scalar(cx.dtype(value), 0.0);
    let below = cx.compare("Less", value, zero)?;
    let inverse = cx.unary("Reciprocal", value);
    let inverse = cx.compare("Less", inverse, zero)?;
    cx.binary("Or", below, inverse)
}
