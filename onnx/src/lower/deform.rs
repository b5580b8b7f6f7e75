//! Deformable convolution: windows whose elements are read at places that a tensor moves.

use burn_ir::DeformConv2dOpIr;

use super::context::{Context, Lowered};
use super::index::take;
use super::resample::{column, number};
use crate::expr::Expr;
use crate::graph::build::{Attr, ValueId};

/// By reading the image on a grid, and a product with the kernel. ONNX has an operator for it from
/// opset 19 on, which few runtimes have.
pub(super) fn deformable(cx: &mut Context, op: &DeformConv2dOpIr) -> Lowered {
    let (x, weight) = (cx.get(&op.x)?, cx.get(&op.weight)?);
    let dtype = cx.dtype(x);
    let number = |n: usize| Expr::constant(n as i64);
    let (image, kernel, target) = (cx.shape(x), cx.shape(weight), cx.shape_of(&op.out)?);
    let (rows, columns) = (target[2].clone(), target[3].clone());
    let (offset_groups, groups) = (op.options.offset_groups, op.options.weight_groups);
    let taps = kernel[2].mul(&kernel[3]);
    let split = image[0].mul(&number(offset_groups)); // batch · offset groups
    let per_group = image[1].divided(offset_groups as i64);
    let grid = grid(cx, op, &split)?; // [split, taps · rows, columns, 2]
    let parts = [
        split.clone(),
        per_group.clone(),
        image[2].clone(),
        image[3].clone(),
    ];
    let parts = cx.reshape(x, &parts);
    let attrs = vec![
        ("mode", Attr::Text("bilinear")),
        ("padding_mode", Attr::Text("zeros")),
        ("align_corners", Attr::Int(0)),
    ];
    let tall = taps.mul(&rows);
    let shape = vec![split.clone(), per_group, tall.clone(), columns.clone()];
    let mut read = cx.emit("GridSample", &[parts, grid], attrs, dtype, shape);
    if let Some(mask) = &op.mask {
        let mask = cx.get(mask)?;
        let mask = cx.reshape(mask, &[split, number(1), tall, columns.clone()]);
        read = cx.binary("Mul", read, mask)?;
    }
    // [batch, groups, channels of a group · taps, places] by [groups, outputs of a group, ..]
    let depth = kernel[1].mul(&taps);
    let places = rows.mul(&columns);
    let read = cx.reshape(
        read,
        &[image[0].clone(), number(groups), depth.clone(), places],
    );
    let outputs = kernel[0].divided(groups as i64);
    let weight = cx.reshape(weight, &[number(groups), outputs, depth]);
    let product = cx.matmul(weight, read)?;
    let mut out = cx.reshape(product, &target);
    if let Some(bias) = &op.bias {
        let bias = cx.get(bias)?;
        let bias = cx.reshape(bias, &[kernel[0].clone(), number(1), number(1)]);
        out = cx.binary("Add", out, bias)?;
    }
    cx.bind(&op.out, out)
}

/// The places that are read, x before y, in -1..1: `[split, taps · rows, columns, 2]`.
fn grid(cx: &mut Context, op: &DeformConv2dOpIr, split: &Expr) -> Lowered<ValueId> {
    let offset = cx.get(&op.offset)?;
    let (image, kernel) = (cx.shape_of(&op.x)?, cx.shape_of(&op.weight)?);
    let target = cx.shape_of(&op.out)?;
    let one = Expr::constant(1);
    let taps = kernel[2].mul(&kernel[3]);
    let (rows, columns) = (&target[2], &target[3]);
    let parts = [
        split.clone(),
        taps.clone(),
        Expr::constant(2),
        rows.clone(),
        columns.clone(),
    ];
    let offset = cx.reshape(offset, &parts);
    let mut pair = Vec::new();
    for axis in [1, 0] {
        let which = cx.ints(&[axis as i64]);
        let moved = take(cx, offset, which, 2);
        let moved = cx.reshape(
            moved,
            &[split.clone(), taps.clone(), rows.clone(), columns.clone()],
        );
        let [tap, place] = unmoved(cx, op, axis)?;
        let moved = cx.binary("Add", moved, tap)?;
        let moved = cx.binary("Add", moved, place)?;
        // Element p stands at (2 p + 1) / length - 1.
        let dtype = cx.dtype(moved);
        let (unit, two) = (cx.scalar(dtype, 1.0), cx.scalar(dtype, 2.0));
        let length = number(cx, &image[2 + axis], dtype);
        let doubled = cx.binary("Mul", moved, two)?;
        let middle = cx.binary("Add", doubled, unit)?;
        let scaled = cx.binary("Div", middle, length)?;
        let scaled = cx.binary("Sub", scaled, unit)?;
        let tall = taps.mul(rows);
        let shape = [split.clone(), tall, columns.clone(), one.clone()];
        pair.push(cx.reshape(scaled, &shape));
    }
    Ok(cx.concat(&pair, 3))
}

/// Where a tap stands in its window, `[taps, 1, 1]`, and where the windows of an axis begin,
/// `[rows, 1]` or `[columns]`.
fn unmoved(cx: &mut Context, op: &DeformConv2dOpIr, axis: usize) -> Lowered<[ValueId; 2]> {
    let options = &op.options;
    let dtype = cx.dtype_of(&op.x)?;
    let kernel = cx.shape_of(&op.weight)?;
    let one = Expr::constant(1);
    let [height, width] = [&kernel[2], &kernel[3]].map(|dim| dim.as_constant().unwrap_or(1));
    let taps: Vec<i64> = (0..height * width)
        .map(|tap| if axis == 0 { tap / width } else { tap % width })
        .map(|tap| tap * options.dilation[axis] as i64 - options.padding[axis] as i64)
        .collect();
    let tap = cx.ints(&taps);
    let tap = cx.cast(tap, dtype);
    let tap = cx.reshape(tap, &[kernel[2].mul(&kernel[3]), one.clone(), one]);
    let length = cx.shape_of(&op.out)?[2 + axis].clone();
    let place = column(cx, &length)?;
    let place = cx.cast(place, dtype);
    let stride = cx.scalar(dtype, options.stride[axis] as f64);
    let place = cx.binary("Mul", place, stride)?;
    let place = if axis == 0 {
        place
    } else {
        cx.reshape(place, &[length])
    };
    Ok([tap, place])
}
