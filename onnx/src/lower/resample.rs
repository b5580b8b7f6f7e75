//! Axes of another length: weighted sums of an axis' elements, as a product with a matrix.

use super::context::{Context, Lowered};
use super::create::count;
use crate::expr::Expr;
use crate::graph::build::{DataType, ValueId};

/// `x` with `axis` (of length `from`) weighed by `matrix [to, from]`.
pub(super) fn weigh(
    cx: &mut Context,
    x: ValueId,
    axis: usize,
    matrix: ValueId,
) -> Lowered<ValueId> {
    let last = cx.rank(x) - 1;
    if axis + 1 == last {
        return cx.matmul(matrix, x);
    }
    let mut order: Vec<usize> = (0..=last).collect();
    order.swap(axis, last);
    let x = cx.transpose(x, &order);
    let matrix = cx.transpose_last(matrix);
    let out = cx.matmul(x, matrix)?;
    Ok(cx.transpose(out, &order))
}

/// `[0, 1, ..]` of a length as a column, `[length, 1]`.
pub(super) fn column(cx: &mut Context, length: &Expr) -> Lowered<ValueId> {
    let range = count(cx, &Expr::constant(0), length)?;
    Ok(cx.reshape(range, &[length.clone(), Expr::constant(1)]))
}

/// A size as a number of another type.
pub(super) fn number(cx: &mut Context, size: &Expr, dtype: DataType) -> ValueId {
    let size = cx.extent_scalar(size);
    cx.cast(size, dtype)
}
