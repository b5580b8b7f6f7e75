//! Means of windows chosen by the size of the result.

use burn_ir::TensorIr;

use super::context::{Context, Lowered};
use super::pool;
use super::resample::{column, number, weigh};
use crate::expr::Expr;
use crate::graph::build::{DataType, ValueId};

/// All of an axis, an even division of it, or windows of unequal length.
pub(super) fn average(cx: &mut Context, [x, out]: [&TensorIr; 2], sizes: &[usize]) -> Lowered {
    let input = cx.get(x)?;
    let dims = cx.shape(input);
    let skip = dims.len() - sizes.len();
    if sizes.iter().all(|size| *size == 1) {
        let axes: Vec<usize> = (skip..dims.len()).collect();
        let value = cx.reduce("ReduceMean", input, &axes);
        return cx.bind(out, value);
    }
    let even = |(dim, size): (&Expr, &usize)| {
        let dim = dim.as_constant()? as usize;
        dim.is_multiple_of(*size).then_some(dim / size)
    };
    let kernel: Option<Vec<usize>> = dims[skip..].iter().zip(sizes).map(even).collect();
    if let Some(kernel) = kernel {
        let none = vec![0; sizes.len()];
        return pool::average(cx, [x, out], [&kernel, &kernel, &none], true, false);
    }
    let mut value = input;
    for (axis, to) in (skip..).zip(sizes) {
        value = along(cx, value, axis, &Expr::constant(*to as i64))?;
    }
    cx.bind(out, value)
}

/// Place p of the result is the mean of `floor(p · from / to) .. ceil((p + 1) · from / to)`.
fn along(cx: &mut Context, x: ValueId, axis: usize, to: &Expr) -> Lowered<ValueId> {
    let from = cx.shape(x)[axis].clone();
    if from == *to {
        return Ok(x);
    }
    let dtype = cx.dtype(x);
    let place = column(cx, to)?;
    let (length, windows) = (
        number(cx, &from, DataType::Int64),
        number(cx, to, DataType::Int64),
    );
    let before = cx.binary("Mul", place, length)?;
    let start = cx.binary("Div", before, windows)?;
    // Rounded up.
    let rest = from.add(to).sub(&Expr::constant(1));
    let rest = number(cx, &rest, DataType::Int64);
    let after = cx.binary("Add", before, rest)?;
    let end = cx.binary("Div", after, windows)?;
    let element = super::create::count(cx, &Expr::constant(0), &from)?;
    let late = cx.compare("GreaterOrEqual", element, start)?;
    let early = cx.compare("Less", element, end)?;
    let inside = cx.binary("And", late, early)?; // [to, from]
    let count = cx.binary("Sub", end, start)?;
    let count = cx.cast(count, dtype);
    let share = cx.unary("Reciprocal", count);
    let zero = cx.scalar(dtype, 0.0);
    let weights = cx.select(inside, share, zero)?;
    weigh(cx, x, axis, weights)
}
