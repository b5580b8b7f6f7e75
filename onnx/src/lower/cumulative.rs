//! Running totals: at each place, a reduction of everything up to it.

use burn_ir::DimOpIr;

use super::context::{Context, Lowered};
use super::create::count;
use crate::expr::Expr;
use crate::graph::build::DataType;

/// Running sums.
pub(super) fn sum(cx: &mut Context, op: &DimOpIr) -> Lowered {
    let input = cx.get(&op.input)?;
    let (dtype, shape) = (cx.dtype(input), cx.shape(input));
    let axis = cx.scalar(DataType::Int64, op.axis as f64);
    let out = cx.emit("CumSum", &[input, axis], vec![], dtype, shape);
    cx.bind(&op.out, out)
}

/// Other running reductions, for which ONNX has no operator: a row for each place, with what comes
/// after it replaced by `neutral`, and the reduction of every row.
pub(super) fn running(
    cx: &mut Context,
    op: &DimOpIr,
    reduce: &'static str,
    neutral: f64,
) -> Lowered {
    let input = cx.get(&op.input)?;
    let (dtype, rank) = (cx.dtype(input), cx.rank(input));
    let mut order: Vec<usize> = (0..rank).collect();
    order.swap(op.axis, rank - 1);
    let last = cx.transpose(input, &order); // [.., n]
    let shape = cx.shape(last);
    let (lead, n) = (&shape[..rank - 1], &shape[rank - 1]);
    let one = Expr::constant(1);
    let place = count(cx, &Expr::constant(0), n)?;
    let row = cx.reshape(place, &[n.clone(), one.clone()]);
    let after = cx.compare("Less", row, place)?; // [n, n]
    let column: Vec<Expr> = lead.iter().cloned().chain([one, n.clone()]).collect();
    let rows = cx.reshape(last, &column);
    let neutral = cx.scalar(dtype, neutral);
    let rows = cx.select(after, neutral, rows)?; // [.., n, n]
    let reduced = cx.reduce(reduce, rows, &[rank]);
    let reduced = cx.reshape(reduced, &shape);
    let out = cx.transpose(reduced, &order);
    cx.bind(&op.out, out)
}
