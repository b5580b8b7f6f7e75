//! Shapes and the order of elements.

use burn_ir::{
    CatOpIr, FlipOpIr, PadModeIr, PadOpIr, PermuteOpIr, RepeatDimOpIr, ShapeOpIr, SliceOpIr,
    SwapDimsOpIr,
};

use super::context::{Context, Lowered, unsupported};
use super::create::count;
use super::index::take;
use crate::expr::Expr;
use crate::graph::build::{Attr, ValueId};
use crate::symbolic::Range;

/// Another shape.
pub(super) fn reshape(cx: &mut Context, op: &ShapeOpIr) -> Lowered {
    let (input, target) = (cx.get(&op.input)?, cx.shape_of(&op.out)?);
    let out = cx.reshape(input, &target);
    cx.bind(&op.out, out)
}

/// Axes of length one repeated.
pub(super) fn expand(cx: &mut Context, op: &ShapeOpIr) -> Lowered {
    let (input, target) = (cx.get(&op.input)?, cx.shape_of(&op.out)?);
    let out = cx.expand(input, &target);
    cx.bind(&op.out, out)
}

/// Two axes exchanged.
pub(super) fn swap_dims(cx: &mut Context, op: &SwapDimsOpIr) -> Lowered {
    let input = cx.get(&op.input)?;
    let mut perm: Vec<usize> = (0..cx.rank(input)).collect();
    perm.swap(op.dim1, op.dim2);
    let out = cx.transpose(input, &perm);
    cx.bind(&op.out, out)
}

/// Axes in another order.
pub(super) fn permute(cx: &mut Context, op: &PermuteOpIr) -> Lowered {
    let input = cx.get(&op.input)?;
    let out = cx.transpose(input, &op.axes);
    cx.bind(&op.out, out)
}

/// Axes read backwards.
pub(super) fn flip(cx: &mut Context, op: &FlipOpIr) -> Lowered {
    let mut value = cx.get(&op.input)?;
    let (dtype, shape) = (cx.dtype(value), cx.shape(value));
    for axis in &op.axes {
        let last = shape[*axis].sub(&Expr::constant(1));
        value = if last.as_constant().is_some() {
            let mut ranges = whole(&shape);
            ranges[*axis].step = -1;
            cut(cx, value, &ranges, shape.clone())?
        } else {
            // tract walks an open axis forwards only: its elements by falling index instead.
            let rising = count(cx, &Expr::constant(0), &shape[*axis])?;
            let last = cx.extent(&last);
            let falling = cx.binary("Sub", last, rising)?;
            let attrs = vec![("axis", Attr::Int(*axis as i64))];
            cx.emit("Gather", &[value, falling], attrs, dtype, shape.clone())
        };
    }
    cx.bind(&op.out, value)
}

/// Everything, along every axis.
pub(super) fn whole(dims: &[Expr]) -> Vec<Range> {
    let all = |dim: &Expr| Range {
        start: Expr::constant(0),
        end: dim.clone(),
        step: 1,
    };
    dims.iter().map(all).collect()
}

/// A part of a tensor.
pub(super) fn slice(cx: &mut Context, op: &SliceOpIr) -> Lowered {
    let input = cx.get(&op.tensor)?;
    let out_shape = cx.shape_of(&op.out)?;
    let ranges = cx.op()?.ranges.clone();
    let out = cut(cx, input, &ranges, out_shape)?;
    cx.bind(&op.out, out)
}

/// The ranges of every axis, which have this shape.
pub(super) fn cut(
    cx: &mut Context,
    input: ValueId,
    ranges: &[Range],
    mut shape: Vec<Expr>,
) -> Lowered<ValueId> {
    let dims = cx.shape(input);
    // tract walks an open axis one by one only: what is a step apart there, by index.
    let far = |(axis, range): (usize, &Range)| {
        let open = [&range.start, &range.end, &dims[axis]].map(|dim| dim.as_constant().is_none());
        range.step != 1 && open.contains(&true)
    };
    if let Some(axis) = ranges.iter().enumerate().position(far) {
        let length = std::mem::replace(&mut shape[axis], dims[axis].clone());
        let mut rest = ranges.to_vec();
        rest[axis] = whole(&dims)[axis].clone();
        let value = cut(cx, input, &rest, shape)?;
        let places = steps(cx, &ranges[axis], &length)?;
        return Ok(take(cx, value, places, axis));
    }
    let (mut axes, mut starts, mut ends, mut steps) = (vec![], vec![], vec![], vec![]);
    for (axis, range) in ranges.iter().enumerate() {
        if range.start.is(0) && range.end == dims[axis] && range.step == 1 {
            continue;
        }
        // Bounds relative to the end need no arithmetic: -k for `dim - k`, and "as far as it goes".
        let relative = |bound: &Expr| match bound.sub(&dims[axis]).as_constant() {
            Some(back) if back < 0 && bound.as_constant().is_none() => Expr::constant(back),
            _ => bound.clone(),
        };
        let (start, end) = if range.step > 0 {
            let end = if range.end == dims[axis] {
                Expr::constant(i64::MAX)
            } else {
                relative(&range.end)
            };
            (relative(&range.start), end)
        } else {
            // Burn takes the range and walks it from its far end.
            let start = relative(&range.end.sub(&Expr::constant(1)));
            let end = if range.start.is(0) {
                Expr::constant(-i64::MAX)
            } else {
                relative(&range.start.sub(&Expr::constant(1)))
            };
            (start, end)
        };
        axes.push(axis as i64);
        starts.push(start);
        ends.push(end);
        steps.push(range.step);
    }
    if axes.is_empty() {
        return Ok(input);
    }
    let dtype = cx.dtype(input);
    let (starts, ends) = (cx.shape_vector(&starts), cx.shape_vector(&ends));
    let (axes, steps_value) = (cx.ints(&axes), cx.ints(&steps));
    let mut inputs = vec![input, starts, ends, axes];
    if steps.iter().any(|step| *step != 1) {
        inputs.push(steps_value);
    }
    Ok(cx.emit("Slice", &inputs, vec![], dtype, shape))
}

/// Where the elements of a range stand: `[length]`. Burn takes the range and walks it from its far
/// end where the step is negative.
pub(super) fn steps(cx: &mut Context, range: &Range, length: &Expr) -> Lowered<ValueId> {
    let first = if range.step > 0 {
        range.start.clone()
    } else {
        range.end.sub(&Expr::constant(1))
    };
    let places = count(cx, &Expr::constant(0), length)?;
    let step = cx.ints(&[range.step]);
    let places = cx.binary("Mul", places, step)?;
    let first = cx.extent(&first);
    cx.binary("Add", places, first)
}

/// An axis repeated as a whole.
pub(super) fn repeat(cx: &mut Context, op: &RepeatDimOpIr) -> Lowered {
    let input = cx.get(&op.tensor)?;
    let target = cx.shape_of(&op.out)?;
    let dims = cx.shape(input);
    if dims[op.dim].is(1) {
        let out = cx.expand(input, &target);
        return cx.bind(&op.out, out);
    }
    let Some(times) = cx.op()?.numbers.first().cloned() else {
        return unsupported("a repetition without a count");
    };
    let mut repeats = vec![Expr::constant(1); dims.len()];
    repeats[op.dim] = times;
    let repeats = cx.shape_vector(&repeats);
    let dtype = cx.dtype(input);
    let out = cx.emit("Tile", &[input, repeats], vec![], dtype, target);
    cx.bind(&op.out, out)
}

/// Tensors joined along an axis.
pub(super) fn cat(cx: &mut Context, op: &CatOpIr) -> Lowered {
    let values = op
        .tensors
        .iter()
        .map(|tensor| cx.get(tensor))
        .collect::<Lowered<Vec<_>>>()?;
    let out = cx.concat(&values, op.dim);
    cx.bind(&op.out, out)
}

/// A margin around a tensor.
pub(super) fn pad(cx: &mut Context, op: &PadOpIr) -> Lowered {
    let input = cx.get(&op.input)?;
    let numbers = cx.op()?.numbers.clone();
    let pads: Vec<Expr> = numbers
        .iter()
        .step_by(2)
        .chain(numbers.iter().skip(1).step_by(2))
        .cloned()
        .collect();
    let pads = cx.shape_vector(&pads);
    let (dtype, shape) = (cx.dtype(input), cx.shape_of(&op.out)?);
    let (mode, fill) = match &op.mode {
        PadModeIr::Constant(value) => ("constant", Some(value.elem::<f64>())),
        PadModeIr::Reflect => ("reflect", None),
        PadModeIr::Edge => ("edge", None),
    };
    let mut inputs = vec![input, pads];
    if let Some(value) = fill {
        inputs.push(cx.scalar(dtype, value));
    }
    let out = cx.emit(
        "Pad",
        &inputs,
        vec![("mode", Attr::Text(mode))],
        dtype,
        shape,
    );
    cx.bind(&op.out, out)
}
