//! Operations on floats.

use burn_ir::FloatOperationIr as Float;

use super::refused;
use crate::lower::context::{Context, Lowered, unsupported};
use crate::lower::{angle, elementwise, grid, matmul};

/// Appends the nodes of an operation on floats.
pub(super) fn lower(cx: &mut Context, op: &Float) -> Lowered {
    match op {
        Float::Exp(op) => elementwise::unary(cx, op, "Exp"),
        Float::Log(op) => elementwise::unary(cx, op, "Log"),
        Float::Log1p(op) => elementwise::log1p(cx, op),
        Float::Erf(op) => elementwise::unary(cx, op, "Erf"),
        Float::PowfScalar(op) => elementwise::power_scalar(cx, op),
        Float::Powf(op) => elementwise::power(cx, op),
        Float::Sqrt(op) => elementwise::unary(cx, op, "Sqrt"),
        Float::Cos(op) => elementwise::unary(cx, op, "Cos"),
        Float::Cosh(op) => elementwise::unary(cx, op, "Cosh"),
        Float::Sin(op) => elementwise::unary(cx, op, "Sin"),
        Float::Sinh(op) => elementwise::unary(cx, op, "Sinh"),
        Float::Tan(op) => elementwise::unary(cx, op, "Tan"),
        Float::Tanh(op) => elementwise::unary(cx, op, "Tanh"),
        Float::ArcCos(op) => elementwise::unary(cx, op, "Acos"),
        Float::ArcCosh(op) => elementwise::unary(cx, op, "Acosh"),
        Float::ArcSin(op) => elementwise::unary(cx, op, "Asin"),
        Float::ArcSinh(op) => elementwise::unary(cx, op, "Asinh"),
        Float::ArcTan(op) => elementwise::unary(cx, op, "Atan"),
        Float::ArcTanh(op) => elementwise::unary(cx, op, "Atanh"),
        Float::Round(op) => elementwise::unary(cx, op, "Round"),
        Float::Floor(op) => elementwise::unary(cx, op, "Floor"),
        Float::Ceil(op) => elementwise::unary(cx, op, "Ceil"),
        Float::Trunc(op) => elementwise::trunc(cx, op),
        Float::Recip(op) => elementwise::unary(cx, op, "Reciprocal"),
        Float::Hypot(op) => angle::hypot(cx, op),
        Float::IntoInt(op) => elementwise::cast(cx, &op.input, &op.out),
        Float::Matmul(op) => matmul::matmul(cx, op),
        Float::IsNan(op) => elementwise::predicate(cx, op, "IsNaN"),
        Float::IsInf(op) => elementwise::predicate(cx, op, "IsInf"),
        Float::ArcTan2(op) => angle::arc_tan2(cx, op),
        Float::Cross(op) => matmul::cross(cx, op),
        Float::GridSample2d(op) => grid::sample(cx, op),
        Float::Random(_) => unsupported(refused::RANDOM),
        Float::Quantize(_) | Float::Dequantize(_) => unsupported(refused::QUANTIZED),
    }
}
