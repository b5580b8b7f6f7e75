//! Images of another size.

use burn_ir::{InterpolateModeIr as Mode, InterpolateOpIr};

use super::context::{Context, Lowered};
use super::create::count;
use super::index::take;
use super::resample::{column, number, weigh};
use crate::expr::Expr;
use crate::graph::build::{Attr, Data, DataType, ValueId};

/// `[batch, channels, height, width]`, the last two of another length.
///
/// ONNX has one operator for all modes. Only its linear mode is in every runtime, where the ratio
/// of the sizes is known; and its nearest mode computes places in 32-bit floats, which round down
/// where the place is a whole number.
pub(super) fn interpolate(cx: &mut Context, op: &InterpolateOpIr) -> Lowered {
    let mut value = cx.get(&op.x)?;
    let (from, target) = (cx.shape(value), cx.shape_of(&op.out)?);
    let align = op.options.align_corners;
    let scales = [2, 3].map(|axis| ratio(&from[axis], &target[axis]));
    if let (Mode::Bilinear, [Some(rows), Some(columns)]) = (&op.options.mode, scales) {
        let out = linear_by(cx, value, [rows, columns], &target, align);
        return cx.bind(&op.out, out);
    }
    for axis in [2, 3] {
        let to = &target[axis];
        value = match op.options.mode {
            Mode::Nearest => nearest(cx, value, axis, to, false)?,
            Mode::NearestExact => nearest(cx, value, axis, to, true)?,
            Mode::Bilinear => linear(cx, value, axis, to, align)?,
            Mode::Bicubic => cubic(cx, value, axis, to, align)?,
            Mode::Lanczos3 => lanczos(cx, value, axis, to, align)?,
        };
    }
    cx.bind(&op.out, value)
}

/// The ratio of two lengths, if it is the same at all sizes and gives the second from the first.
fn ratio(from: &Expr, to: &Expr) -> Option<f32> {
    let (Some(from_length), Some(to_length)) = (from.as_constant(), to.as_constant()) else {
        let times = (1..=16).find(|times| from.scale(*times) == *to)?;
        return Some(times as f32);
    };
    let mut ratio = to_length as f32 / from_length as f32;
    // The runtimes round the product down.
    while ((from_length as f32 * ratio).floor() as i64) < to_length {
        ratio = ratio.next_up();
    }
    ((from_length as f64 * f64::from(ratio)).floor() as i64 == to_length).then_some(ratio)
}

fn linear_by(
    cx: &mut Context,
    x: ValueId,
    [rows, columns]: [f32; 2],
    target: &[Expr],
    align: bool,
) -> ValueId {
    let scales = [1.0, 1.0, rows, columns];
    let bytes = scales.iter().flat_map(|scale: &f32| scale.to_le_bytes());
    let scales = Data::new(DataType::Float, vec![4], bytes.collect());
    let scales = cx.initializer("scales", scales);
    let map = if align { "align_corners" } else { "half_pixel" };
    let attrs = vec![
        ("mode", Attr::Text("linear")),
        ("coordinate_transformation_mode", Attr::Text(map)),
    ];
    let results = vec![(cx.dtype(x), target.to_vec())];
    cx.emit_many("Resize", vec![Some(x), None, Some(scales)], attrs, results)[0]
}

/// The element at `place · from / to`, rounded down; `exact` takes the middle of the place.
fn nearest(cx: &mut Context, x: ValueId, axis: usize, to: &Expr, exact: bool) -> Lowered<ValueId> {
    let from = cx.shape(x)[axis].clone();
    if from == *to {
        return Ok(x);
    }
    if let Some(times) = (2..=16).find(|times| from.scale(*times) == *to) {
        return Ok(repeated(cx, x, axis, times));
    }
    let (two, one) = (
        cx.scalar(DataType::Int64, 2.0),
        cx.scalar(DataType::Int64, 1.0),
    );
    let mut place = count(cx, &Expr::constant(0), to)?;
    let (factor, mut divisor) = (cx.extent_scalar(&from), cx.extent_scalar(to));
    if exact {
        place = cx.binary("Mul", place, two)?;
        place = cx.binary("Add", place, one)?;
        divisor = cx.binary("Mul", divisor, two)?;
    }
    let place = cx.binary("Mul", place, factor)?;
    let place = cx.binary("Div", place, divisor)?;
    Ok(take(cx, x, place, axis))
}

/// Every element of an axis so many times.
fn repeated(cx: &mut Context, x: ValueId, axis: usize, times: i64) -> ValueId {
    let mut shape = cx.shape(x);
    shape.insert(axis + 1, Expr::constant(1));
    let x = cx.reshape(x, &shape);
    shape[axis + 1] = Expr::constant(times);
    let x = cx.expand(x, &shape);
    shape.remove(axis + 1);
    shape[axis] = shape[axis].scale(times);
    cx.reshape(x, &shape)
}

/// The distances of elements, from the one at `first`, to the places of the result:
/// `[to, from]`.
fn distances(
    cx: &mut Context,
    x: ValueId,
    (axis, first): (usize, i64),
    to: &Expr,
    align: bool,
) -> Lowered<ValueId> {
    let dtype = cx.dtype(x);
    let length = cx.shape(x)[axis].clone();
    let from = length.add(&Expr::constant(2 * first));
    let place = column(cx, to)?;
    let place = cx.cast(place, dtype);
    let place = if align {
        let scale = number(cx, &from.sub(&Expr::constant(1)), dtype);
        let gaps = number(cx, &to.sub(&Expr::constant(1)), dtype);
        let one = cx.scalar(dtype, 1.0);
        let gaps = cx.binary("Max", gaps, one)?;
        let place = cx.binary("Mul", place, scale)?;
        cx.binary("Div", place, gaps)?
    } else {
        let half = cx.scalar(dtype, 0.5);
        let (from, to) = (number(cx, &from, dtype), number(cx, to, dtype));
        let place = cx.binary("Add", place, half)?;
        let place = cx.binary("Mul", place, from)?;
        let place = cx.binary("Div", place, to)?;
        cx.binary("Sub", place, half)?
    };
    let element = count(cx, &Expr::constant(first), &length)?;
    let element = cx.cast(element, dtype);
    cx.binary("Sub", place, element)
}

/// A hat over each place; outside of the image the nearest element stands.
fn linear(cx: &mut Context, x: ValueId, axis: usize, to: &Expr, align: bool) -> Lowered<ValueId> {
    let dtype = cx.dtype(x);
    let mut shape = cx.shape(x);
    shape[axis] = shape[axis].add(&Expr::constant(2));
    let mut pads = [0; 8];
    (pads[axis], pads[axis + 4]) = (1, 1);
    let pads = cx.ints(&pads);
    let attrs = vec![("mode", Attr::Text("edge"))];
    let x = cx.emit("Pad", &[x, pads], attrs, dtype, shape);
    let distance = distances(cx, x, (axis, -1), to, align)?;
    let distance = cx.unary("Abs", distance);
    let (zero, one) = (cx.scalar(dtype, 0.0), cx.scalar(dtype, 1.0));
    let weights = cx.binary("Sub", one, distance)?;
    let weights = cx.binary("Max", weights, zero)?;
    weigh(cx, x, axis, weights)
}

/// Cubic convolution with a = -0.75, the image continued by its edge.
fn cubic(cx: &mut Context, x: ValueId, axis: usize, to: &Expr, align: bool) -> Lowered<ValueId> {
    let dtype = cx.dtype(x);
    let mut shape = cx.shape(x);
    shape[axis] = shape[axis].add(&Expr::constant(4));
    let mut pads = [0; 8];
    (pads[axis], pads[axis + 4]) = (2, 2);
    let pads = cx.ints(&pads);
    let attrs = vec![("mode", Attr::Text("edge"))];
    let x = cx.emit("Pad", &[x, pads], attrs, dtype, shape);
    let distance = distances(cx, x, (axis, -2), to, align)?;
    let distance = cx.unary("Abs", distance);
    // Both pieces of the kernel by Horner's rule.
    let a = -0.75;
    let near = polynomial(cx, distance, &[a + 2.0, -(a + 3.0), 0.0, 1.0])?;
    let far = polynomial(cx, distance, &[a, -5.0 * a, 8.0 * a, -4.0 * a])?;
    let (zero, one, two) = (
        cx.scalar(dtype, 0.0),
        cx.scalar(dtype, 1.0),
        cx.scalar(dtype, 2.0),
    );
    let is_near = cx.compare("Less", distance, one)?;
    let is_far = cx.compare("Less", distance, two)?;
    let weights = cx.select(is_far, far, zero)?;
    let weights = cx.select(is_near, near, weights)?;
    weigh(cx, x, axis, weights)
}

fn polynomial(cx: &mut Context, x: ValueId, coefficients: &[f64]) -> Lowered<ValueId> {
    let dtype = cx.dtype(x);
    let mut sum = cx.scalar(dtype, coefficients[0]);
    for coefficient in &coefficients[1..] {
        sum = cx.binary("Mul", x, sum)?;
        if *coefficient != 0.0 {
            let coefficient = cx.scalar(dtype, *coefficient);
            sum = cx.binary("Add", sum, coefficient)?;
        }
    }
    Ok(sum)
}

/// A sinc in a window of three elements on either side; what the image lacks there is left out.
fn lanczos(cx: &mut Context, x: ValueId, axis: usize, to: &Expr, align: bool) -> Lowered<ValueId> {
    let dtype = cx.dtype(x);
    let distance = distances(cx, x, (axis, 0), to, align)?;
    let (zero, one, three) = (
        cx.scalar(dtype, 0.0),
        cx.scalar(dtype, 1.0),
        cx.scalar(dtype, 3.0),
    );
    let pi = cx.scalar(dtype, std::f64::consts::PI);
    let middle = cx.compare("Equal", distance, zero)?;
    let angle = cx.select(middle, one, distance)?;
    let angle = cx.binary("Mul", angle, pi)?;
    let third = cx.binary("Div", angle, three)?;
    let (sine, window) = (cx.unary("Sin", angle), cx.unary("Sin", third));
    let product = cx.binary("Mul", sine, window)?;
    let divisor = cx.binary("Mul", angle, third)?;
    let weights = cx.binary("Div", product, divisor)?;
    let weights = cx.select(middle, one, weights)?;
    let distance = cx.unary("Abs", distance);
    let inside = cx.compare("Less", distance, three)?;
    let weights = cx.select(inside, weights, zero)?;
    let total = cx.reduce("ReduceSum", weights, &[1]);
    let weights = cx.binary("Div", weights, total)?;
    weigh(cx, x, axis, weights)
}
