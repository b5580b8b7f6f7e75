//! Arithmetic and functions that work element by element.

use burn_ir::{BinaryOpIr, CastOpIr, ClampOpIr, ScalarOpIr, TensorIr, UnaryOpIr};

use super::context::{Context, Lowered};
use crate::graph::build::{Attr, DataType, ValueId};

/// A function with an ONNX operator of its own.
pub(super) fn unary(cx: &mut Context, op: &UnaryOpIr, name: &'static str) -> Lowered {
    let input = cx.get(&op.input)?;
    let out = cx.unary(name, input);
    cx.bind(&op.out, out)
}

/// 1, 0 or -1; of floats by comparison, as rten gives zeros a sign.
pub(super) fn sign(cx: &mut Context, op: &UnaryOpIr) -> Lowered {
    let x = cx.get(&op.input)?;
    let dtype = cx.dtype(x);
    if !dtype.is_float() {
        return unary(cx, op, "Sign");
    }
    let (zero, one, minus) = (
        cx.scalar(dtype, 0.0),
        cx.scalar(dtype, 1.0),
        cx.scalar(dtype, -1.0),
    );
    let (above, below) = (
        cx.compare("Greater", x, zero)?,
        cx.compare("Less", x, zero)?,
    );
    let out = cx.select(below, minus, zero)?;
    let out = cx.select(above, one, out)?;
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
    // For floats ONNX has only the remainder with the dividend's sign.
    let shape = cx.broadcast(&[a, b])?;
    let dtype = cx.dtype(a);
    let rest = cx.emit("Mod", &[a, b], vec![("fmod", Attr::Int(1))], dtype, shape);
    let zero = cx.scalar(dtype, 0.0);
    let below = cx.compare("Less", rest, zero)?;
    let divisor_below = cx.compare("Less", b, zero)?;
    let differ = cx.binary("Xor", below, divisor_below)?;
    let none = cx.compare("Equal", rest, zero)?;
    let some = cx.unary("Not", none);
    let wrong = cx.binary("And", differ, some)?;
    let moved = cx.binary("Add", rest, b)?;
    cx.select(wrong, moved, rest)
}

/// A power with a scalar exponent.
pub(super) fn power_scalar(cx: &mut Context, op: &ScalarOpIr) -> Lowered {
    let x = cx.get(&op.lhs)?;
    let whole = !cx.dtype(x).is_float();
    let out = match cx.fixed_scalar(0) {
        Ok(times) if whole && (1.0..64.0).contains(&times) => repeated(cx, x, times as u32)?,
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

/// A power of integers by products: runtimes compute theirs in floats, which large ones do not fit.
fn repeated(cx: &mut Context, x: ValueId, times: u32) -> Lowered<ValueId> {
    if times == 1 {
        return Ok(x);
    }
    let half = repeated(cx, x, times / 2)?;
    let even = square(cx, half)?;
    match times % 2 {
        0 => Ok(even),
        _ => cx.binary("Mul", even, x),
    }
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

/// A question about every element.
pub(super) fn predicate(cx: &mut Context, op: &UnaryOpIr, name: &'static str) -> Lowered {
    let input = cx.get(&op.input)?;
    let shape = cx.shape(input);
    let out = cx.emit(name, &[input], vec![], DataType::Bool, shape);
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
