//! Windows of a tensor, gathered by where their elements stand.

use burn_ir::{Unfold4dOpIr, UnfoldOpIr};

use super::context::{Context, Lowered};
use super::create::count;
use super::index::take;
use crate::expr::Expr;
use crate::graph::build::{Attr, ValueId};

/// Where the elements of windows along an axis stand: `[size, windows]`.
fn places(
    cx: &mut Context,
    [size, step, dilation]: [usize; 3],
    windows: &Expr,
) -> Lowered<ValueId> {
    let within: Vec<i64> = (0..size).map(|index| (index * dilation) as i64).collect();
    let within = cx.ints(&within);
    let within = cx.reshape(within, &[Expr::constant(size as i64), Expr::constant(1)]);
    let mut starts = count(cx, &Expr::constant(0), windows)?;
    if step != 1 {
        let step = cx.ints(&[step as i64]);
        starts = cx.binary("Mul", starts, step)?;
    }
    cx.binary("Add", within, starts)
}

/// Along one axis: `[.., dim, ..]` gives `[.., windows, .., size]`.
pub(super) fn unfold(cx: &mut Context, op: &UnfoldOpIr) -> Lowered {
    let input = cx.get(&op.input)?;
    let windows = cx.shape_of(&op.out)?[op.dim].clone();
    let places = places(cx, [op.size, op.step, 1], &windows)?;
    let taken = take(cx, input, places, op.dim); // [.., size, windows, ..]
    let mut order: Vec<usize> = (0..cx.rank(taken)).collect();
    let size = order.remove(op.dim);
    order.push(size);
    let out = cx.transpose(taken, &order);
    cx.bind(&op.out, out)
}

/// Of an image: `[batch, channels, height, width]` gives
/// `[batch, channels · kernel height · kernel width, windows]`.
pub(super) fn unfold4d(cx: &mut Context, op: &Unfold4dOpIr) -> Lowered {
    let mut value = cx.get(&op.x)?;
    value = margin(cx, value, op.options.padding);
    for axis in [0, 1] {
        // Two axes stand where the first was by then.
        let at = 2 + 2 * axis;
        let (size, step) = (op.kernel_size[axis], op.options.stride[axis]);
        let dilation = op.options.dilation[axis];
        let span = (dilation * (size - 1) + 1) as i64;
        let windows = cx.shape(value)[at]
            .add(&Expr::constant(step as i64 - span))
            .divided(step as i64);
        let places = places(cx, [size, step, dilation], &windows)?;
        value = take(cx, value, places, at);
    }
    // [batch, channels, kernel height, rows, kernel width, columns]
    let value = cx.transpose(value, &[0, 1, 2, 4, 3, 5]);
    let target = cx.shape_of(&op.out)?;
    let out = cx.reshape(value, &target);
    cx.bind(&op.out, out)
}

/// Zeros around an image.
fn margin(cx: &mut Context, image: ValueId, [rows, columns]: [usize; 2]) -> ValueId {
    if [rows, columns] == [0, 0] {
        return image;
    }
    let (dtype, mut shape) = (cx.dtype(image), cx.shape(image));
    for (axis, padding) in [(2, rows), (3, columns)] {
        shape[axis] = shape[axis].add(&Expr::constant(2 * padding as i64));
    }
    let (rows, columns) = (rows as i64, columns as i64);
    let pads = cx.ints(&[0, 0, rows, columns, 0, 0, rows, columns]);
    let zero = cx.scalar(dtype, 0.0);
    let attrs = vec![("mode", Attr::Text("constant"))];
    cx.emit("Pad", &[image, pads, zero], attrs, dtype, shape)
}
