//! Arithmetic and functions that work element by element.

use burn_ir::{BinaryOpIr, CastOpIr, ClampOpIr, ScalarOpIr, TensorIr, UnaryOpIr};

use super::context::{Context, Lowered, unsupported};
use crate::graph::ValueId;

/// A function with an ONNX operator of its own.
pub(super) fn unary(cx: &mut Context, op: &UnaryOpIr, name: &'static str) -> Lowered {
    let input = cx.get(&op.input)?;
    let out = cx.unary(name, input);
    cx.bind(&op.out, out)
}

/// A binary operator with an ONNX operator of its own.
pub(super) fn binary(cx: &mut Context, op: &BinaryOpIr, name: &'static str) -> Lowered {
    let (a, b) = (cx.get(&op.lhs)?, cx.get(&op.rhs)?);
    let out = if name == "Mul" && a == b {
        square(cx, a)?
    } else {
        cx.binary(name, a, b)?
    };
    cx.bind(&op.out, out)
}

/// `x · x`. tract makes its own square of that product and of that power, and has it for floats
/// only: integers go by `-(x · -x)`.
fn square(cx: &mut Context, x: ValueId) -> Lowered<ValueId> {
    if cx.dtype(x).is_float() {
        return cx.binary("Mul", x, x);
    }
    let negative = cx.unary("Neg", x);
    let product = cx.binary("Mul", x, negative)?;
    Ok(cx.unary("Neg", product))
}

/// A binary operator with the operation's scalar on the right.
pub(super) fn scalar(cx: &mut Context, op: &ScalarOpIr, name: &'static str) -> Lowered {
    let input = cx.get(&op.lhs)?;
    let scalar = cx.op_scalar(0, cx.dtype(input))?;
    let out = cx.binary(name, input, scalar)?;
    cx.bind(&op.out, out)
}

/// A remainder with the sign of the divisor.
pub(super) fn rem(cx: &mut Context, op: &BinaryOpIr) -> Lowered {
    let (a, b) = (cx.get(&op.lhs)?, cx.get(&op.rhs)?);
    let out = floored(cx, a, b)?;
    cx.bind(&op.out, out)
}

/// A remainder by the operation's scalar.
pub(super) fn rem_scalar(cx: &mut Context, op: &ScalarOpIr) -> Lowered {
    let a = cx.get(&op.lhs)?;
    let b = cx.op_scalar(0, cx.dtype(a))?;
    let out = floored(cx, a, b)?;
    cx.bind(&op.out, out)
}

fn floored(cx: &mut Context, a: ValueId, b: ValueId) -> Lowered<ValueId> {
    if !cx.dtype(a).is_float() {
        return cx.binary("Mod", a, b);
    }
    // ONNX has only the remainder with the dividend's sign for floats, and tract only that of
    // whole numbers: a - b · floor(a / b), as a tensor library without fmod would.
    let quotient = cx.binary("Div", a, b)?;
    let floor = cx.unary("Floor", quotient);
    let product = cx.binary("Mul", floor, b)?;
    cx.binary("Sub", a, product)
}

/// A power with a scalar exponent.
pub(super) fn power_scalar(cx: &mut Context, op: &ScalarOpIr) -> Lowered {
    let x = cx.get(&op.lhs)?;
    let out = match cx.fixed_scalar(0) {
        Ok(1.0) => x,
        Ok(2.0) => square(cx, x)?,
        Ok(3.0) if cx.dtype(x).is_float() => {
            let square = cx.binary("Mul", x, x)?;
            cx.binary("Mul", square, x)?
        }
        Ok(0.5) if cx.dtype(x).is_float() => cx.unary("Sqrt", x),
        Ok(-1.0) if cx.dtype(x).is_float() => cx.unary("Reciprocal", x),
        _ => {
            let exponent = cx.op_scalar(0, cx.dtype(x))?;
            cx.binary("Pow", x, exponent)?
        }
    };
    cx.bind(&op.out, out)
}

/// A power with a tensor of exponents, which may be integers.
pub(super) fn power(cx: &mut Context, op: &BinaryOpIr) -> Lowered {
    let (x, exponent) = (cx.get(&op.lhs)?, cx.get(&op.rhs)?);
    let exponent = cx.cast(exponent, cx.dtype(x));
    let out = cx.binary("Pow", x, exponent)?;
    cx.bind(&op.out, out)
}

/// Both bounds; scalars 0 and 1 of the record.
pub(super) fn clamp(cx: &mut Context, op: &ClampOpIr) -> Lowered {
    let x = cx.get(&op.tensor)?;
    let out = bound(cx, x, 0, "Max")?;
    let out = bound(cx, out, 1, "Min")?;
    cx.bind(&op.out, out)
}

/// One bound.
pub(super) fn clamp_one(cx: &mut Context, op: &ScalarOpIr, name: &'static str) -> Lowered {
    let x = cx.get(&op.lhs)?;
    let out = bound(cx, x, 0, name)?;
    cx.bind(&op.out, out)
}

fn bound(cx: &mut Context, x: ValueId, slot: usize, name: &'static str) -> Lowered<ValueId> {
    let bound = cx.op_scalar(slot, cx.dtype(x))?;
    cx.binary(name, x, bound)
}

/// Toward zero.
pub(super) fn trunc(cx: &mut Context, op: &UnaryOpIr) -> Lowered {
    let x = cx.get(&op.input)?;
    let zero = cx.scalar(cx.dtype(x), 0.0);
    let negative = cx.compare("Less", x, zero)?;
    let (ceil, floor) = (cx.unary("Ceil", x), cx.unary("Floor", x));
    let out = cx.select(negative, ceil, floor)?;
    cx.bind(&op.out, out)
}

/// `ln(1 + x)` without losing small x: with u = 1 + x, `x · ln(u) / (u - 1)`, or x where u is 1.
pub(super) fn log1p(cx: &mut Context, op: &UnaryOpIr) -> Lowered {
    let x = cx.get(&op.input)?;
    let one = cx.scalar(cx.dtype(x), 1.0);
    let u = cx.binary("Add", x, one)?;
    let tiny = cx.compare("Equal", u, one)?;
    let gained = cx.binary("Sub", u, one)?;
    // No division by zero where the result is not taken.
    let divisor = cx.select(tiny, one, gained)?;
    let log = cx.unary("Log", u);
    let ratio = cx.binary("Div", log, divisor)?;
    let scaled = cx.binary("Mul", x, ratio)?;
    let out = cx.select(tiny, x, scaled)?;
    cx.bind(&op.out, out)
}

/// The length of the hypotenuse.
pub(super) fn hypot(cx: &mut Context, op: &BinaryOpIr) -> Lowered {
    let (a, b) = (cx.get(&op.lhs)?, cx.get(&op.rhs)?);
    let (a, b) = (cx.binary("Mul", a, a)?, cx.binary("Mul", b, b)?);
    let sum = cx.binary("Add", a, b)?;
    let out = cx.unary("Sqrt", sum);
    cx.bind(&op.out, out)
}

/// A shift to the left is a product with a power of two.
pub(super) fn shift_left(cx: &mut Context, op: &ScalarOpIr) -> Lowered {
    let x = cx.get(&op.lhs)?;
    let bits = cx.fixed_scalar(0)?;
    if !(0.0..62.0).contains(&bits) {
        return unsupported("a shift by a negative or very large number");
    }
    let factor = cx.scalar(cx.dtype(x), bits.exp2());
    let out = cx.binary("Mul", x, factor)?;
    cx.bind(&op.out, out)
}

/// True as 1, false as 0. A choice and no cast: to tract 0.23.9 what is cast to 64-bit integers
/// becomes sizes, which it has no running sum of.
pub(super) fn count(cx: &mut Context, op: &CastOpIr) -> Lowered {
    let (input, dtype) = (cx.get(&op.input)?, cx.dtype_of(&op.out)?);
    let (one, zero) = (cx.scalar(dtype, 1.0), cx.scalar(dtype, 0.0));
    let out = cx.select(input, one, zero)?;
    cx.bind(&op.out, out)
}

/// Another element type.
pub(super) fn cast(cx: &mut Context, input: &TensorIr, out: &TensorIr) -> Lowered {
    let value = cx.get(input)?;
    let dtype = cx.dtype_of(out)?;
    let value = cx.cast(value, dtype);
    cx.bind(out, value)
}
