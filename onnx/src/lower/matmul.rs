//! Products of matrices and of vectors.

use burn_ir::{CrossOpIr, LinearOpIr, MatmulOpIr};

use super::context::{Context, Lowered};
use super::index::take;
use crate::expr::Expr;
use crate::graph::build::ValueId;

/// `[.., m, k] · [.., k, n]`
pub(super) fn matmul(cx: &mut Context, op: &MatmulOpIr) -> Lowered {
    let (a, b) = (cx.get(&op.lhs)?, cx.get(&op.rhs)?);
    let out = cx.matmul(a, b)?;
    cx.bind(&op.out, out)
}

/// `[.., d_in] · [d_in, d_out] + [d_out]`
pub(super) fn linear(cx: &mut Context, op: &LinearOpIr) -> Lowered {
    let (x, weight) = (cx.get(&op.x)?, cx.get(&op.weight)?);
    let mut out = cx.matmul(x, weight)?;
    if let Some(bias) = &op.bias {
        let bias = cx.get(bias)?;
        out = cx.binary("Add", out, bias)?;
    }
    cx.bind(&op.out, out)
}

/// The same of integers, as sums of products: neither tract nor rten multiplies their matrices.
pub(super) fn integers(cx: &mut Context, op: &MatmulOpIr) -> Lowered {
    let (a, b) = (cx.get(&op.lhs)?, cx.get(&op.rhs)?);
    let one = Expr::constant(1);
    let (mut left, mut right) = (cx.shape(a), cx.shape(b));
    left.push(one.clone()); // [.., m, k, 1]
    right.insert(right.len() - 2, one); // [.., 1, k, n]
    let (a, b) = (cx.reshape(a, &left), cx.reshape(b, &right));
    let products = cx.binary("Mul", a, b)?;
    let axis = cx.rank(products) - 2;
    let sums = cx.reduce("ReduceSum", products, &[axis]);
    let target = cx.shape_of(&op.out)?;
    let out = cx.reshape(sums, &target);
    cx.bind(&op.out, out)
}

/// The product of vectors of three, which stand along an axis.
pub(super) fn cross(cx: &mut Context, op: &CrossOpIr) -> Lowered {
    let (a, b) = (cx.get(&op.lhs)?, cx.get(&op.rhs)?);
    let next = |cx: &mut Context, value: ValueId| {
        let order = cx.ints(&[1, 2, 0]);
        take(cx, value, order, op.dim)
    };
    let last = |cx: &mut Context, value: ValueId| {
        let order = cx.ints(&[2, 0, 1]);
        take(cx, value, order, op.dim)
    };
    let (a_next, b_last) = (next(cx, a), last(cx, b));
    let (a_last, b_next) = (last(cx, a), next(cx, b));
    let forth = cx.binary("Mul", a_next, b_last)?;
    let back = cx.binary("Mul", a_last, b_next)?;
    let out = cx.binary("Sub", forth, back)?;
    cx.bind(&op.out, out)
}
