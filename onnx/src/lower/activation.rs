//! Activation functions.

use burn_ir::{BinaryOpIr, DimOpIr, HardSigmoidOpIr, ScalarOpIr, UnaryOpIr};

use super::context::{Context, Lowered};
use crate::graph::build::{Attr, ValueId};

/// `x · (1 + erf(x / √2)) / 2`, in the order that runtimes recognise.
pub(super) fn gelu(cx: &mut Context, op: &UnaryOpIr) -> Lowered {
    let x = cx.get(&op.input)?;
    if cx.forms().gelu {
        let out = cx.unary("Gelu", x);
        return cx.bind(&op.out, out);
    }
    let dtype = cx.dtype(x);
    let (root, one, half) = (
        cx.scalar(dtype, std::f64::consts::SQRT_2),
        cx.scalar(dtype, 1.0),
        cx.scalar(dtype, 0.5),
    );
    let scaled = cx.binary("Div", x, root)?;
    let erf = cx.unary("Erf", scaled);
    let weight = cx.binary("Add", erf, one)?;
    let product = cx.binary("Mul", x, weight)?;
    let out = cx.binary("Mul", product, half)?;
    cx.bind(&op.out, out)
}

fn along(cx: &mut Context, input: ValueId, axis: usize, name: &'static str) -> ValueId {
    let (dtype, shape) = (cx.dtype(input), cx.shape(input));
    cx.emit(
        name,
        &[input],
        vec![("axis", Attr::Int(axis as i64))],
        dtype,
        shape,
    )
}

/// Softmax or its logarithm.
pub(super) fn softmax(cx: &mut Context, op: &DimOpIr, name: &'static str) -> Lowered {
    let input = cx.get(&op.input)?;
    let out = along(cx, input, op.axis, name);
    cx.bind(&op.out, out)
}

/// Softmax of the negated input.
pub(super) fn softmin(cx: &mut Context, op: &DimOpIr) -> Lowered {
    let input = cx.get(&op.input)?;
    let negative = cx.unary("Neg", input);
    let out = along(cx, negative, op.axis, "Softmax");
    cx.bind(&op.out, out)
}

/// `x` where it is not negative, `slope · x` elsewhere.
pub(super) fn leaky_relu(cx: &mut Context, op: &ScalarOpIr) -> Lowered {
    let x = cx.get(&op.lhs)?;
    let slope = cx.op_scalar(0, cx.dtype(x))?;
    let out = sloped(cx, x, slope)?;
    cx.bind(&op.out, out)
}

/// The same with learned slopes.
pub(super) fn prelu(cx: &mut Context, op: &BinaryOpIr) -> Lowered {
    let (x, slope) = (cx.get(&op.lhs)?, cx.get(&op.rhs)?);
    let out = sloped(cx, x, slope)?;
    cx.bind(&op.out, out)
}

fn sloped(cx: &mut Context, x: ValueId, slope: ValueId) -> Lowered<ValueId> {
    let zero = cx.scalar(cx.dtype(x), 0.0);
    let negative = cx.compare("Less", x, zero)?;
    let scaled = cx.binary("Mul", x, slope)?;
    cx.select(negative, scaled, x)
}

/// `clamp(alpha · x + beta, 0, 1)`
pub(super) fn hard_sigmoid(cx: &mut Context, op: &HardSigmoidOpIr) -> Lowered {
    let x = cx.get(&op.tensor)?;
    let attrs = vec![
        ("alpha", Attr::Float(op.alpha.elem::<f32>())),
        ("beta", Attr::Float(op.beta.elem::<f32>())),
    ];
    let (dtype, shape) = (cx.dtype(x), cx.shape(x));
    let out = cx.emit("HardSigmoid", &[x], attrs, dtype, shape);
    cx.bind(&op.out, out)
}

/// `min(x, 0) - ln(1 + e^-|x|)`: no overflow at either end.
pub(super) fn log_sigmoid(cx: &mut Context, op: &UnaryOpIr) -> Lowered {
    let x = cx.get(&op.input)?;
    let dtype = cx.dtype(x);
    let (zero, one) = (cx.scalar(dtype, 0.0), cx.scalar(dtype, 1.0));
    let low = cx.binary("Min", x, zero)?;
    let abs = cx.unary("Abs", x);
    let negative = cx.unary("Neg", abs);
    let exp = cx.unary("Exp", negative);
    let sum = cx.binary("Add", exp, one)?;
    let log = cx.unary("Log", sum);
    let out = cx.binary("Sub", low, log)?;
    cx.bind(&op.out, out)
}
