//! Tensors out of nothing: fills, ranges, stored constants.

use burn_ir::{CreationOpIr, FullOpIr, InitOperationIr, TensorIr};

use super::context::{Context, Lowered, unsupported};
use crate::expr::Expr;
use crate::graph::build::{Data, DataType, ValueId};
use crate::symbolic::{Constant, Scalar};

/// One number everywhere.
pub(super) fn fill(cx: &mut Context, op: &CreationOpIr, value: f64) -> Lowered {
    let scalar = cx.scalar(cx.dtype_of(&op.out)?, value);
    spread(cx, &op.out, scalar)
}

/// The operation's scalar everywhere.
pub(super) fn full(cx: &mut Context, op: &FullOpIr) -> Lowered {
    let dtype = cx.dtype_of(&op.out)?;
    let scalar = cx.op_scalar(0, dtype)?;
    spread(cx, &op.out, scalar)
}

fn spread(cx: &mut Context, out: &TensorIr, scalar: ValueId) -> Lowered {
    let shape = cx.shape_of(out)?;
    let value = cx.expand(scalar, &shape);
    cx.bind(out, value)
}

/// `[start, start + 1, ..]` of a length, in 64-bit integers.
pub(super) fn count(cx: &mut Context, start: &Expr, length: &Expr) -> Lowered<ValueId> {
    let (zero, one) = (
        cx.scalar(DataType::Int64, 0.0),
        cx.scalar(DataType::Int64, 1.0),
    );
    let end = cx.extent_scalar(length);
    let shape = vec![length.clone()];
    let range = cx.emit("Range", &[zero, end, one], vec![], DataType::Int64, shape);
    // tract 0.23.9 follows a range's elements into the comparisons of a triangular mask and then
    // cuts tensors at bounds that it cannot evaluate. The absolute value of what is not negative
    // changes nothing and ends that.
    let range = cx.unary("Abs", range);
    if start.is(0) {
        return Ok(range);
    }
    let start = cx.extent_scalar(start);
    cx.binary("Add", range, start)
}

/// A constant of the forward pass.
pub(super) fn constant(cx: &mut Context, op: &InitOperationIr, constant: &Constant) -> Lowered {
    let (dtype, shape) = (cx.dtype_of(&op.out)?, cx.shape_of(&op.out)?);
    match constant {
        Constant::Data(data) => {
            let Some(data) = Data::of(data) else {
                return unsupported("quantized data");
            };
            let module = &cx.op()?.module;
            let name = if module.is_empty() {
                "constant".into()
            } else {
                format!("{module}/constant")
            };
            let value = cx.initializer(&name, data);
            cx.bind(&op.out, value)
        }
        Constant::Fill(scalar) => {
            let scalar: Scalar = scalar.clone();
            let scalar = cx.scalar_value(&scalar, dtype)?;
            spread(cx, &op.out, scalar)
        }
        Constant::Affine { base, steps } => {
            let mut sum: Option<ValueId> = None;
            let first = steps.iter().position(|step| !step.is(0));
            for (axis, step) in steps.iter().enumerate().filter(|(_, step)| !step.is(0)) {
                // The base rides on the first range if that counts by one.
                let rides = Some(axis) == first && step.is(1);
                let start = if rides {
                    base.clone()
                } else {
                    Expr::constant(0)
                };
                let mut term = count(cx, &start, &shape[axis])?;
                if !step.is(1) {
                    let step = cx.extent(step);
                    term = cx.binary("Mul", term, step)?;
                }
                if Some(axis) == first && !rides && !base.is(0) {
                    let base = cx.extent(base);
                    term = cx.binary("Add", term, base)?;
                }
                let mut column = vec![Expr::constant(1); shape.len()];
                column[axis] = shape[axis].clone();
                let term = cx.reshape(term, &column);
                sum = Some(match sum {
                    None => term,
                    Some(sum) => cx.binary("Add", sum, term)?,
                });
            }
            let sum = match sum {
                Some(sum) => sum,
                None => cx.extent_scalar(base),
            };
            let sum = cx.cast(sum, dtype);
            let value = cx.expand(sum, &shape);
            cx.bind(&op.out, value)
        }
        Constant::Ramp { axis, base, step } => {
            let range = count(cx, &Expr::constant(0), &shape[*axis])?;
            let range = cx.cast(range, dtype);
            let step = cx.scalar(dtype, f64::from(*step));
            let scaled = cx.binary("Mul", range, step)?;
            let base = cx.scalar(dtype, f64::from(*base));
            let sum = cx.binary("Add", scaled, base)?;
            let value = cx.reshape(sum, &shape);
            cx.bind(&op.out, value)
        }
    }
}
