//! Shapes, parts and the order of elements.

use burn::tensor::{Slice, Tensor};

use super::builder::{Builder, Info, moving, step};
use super::extent::Extent;
use super::program::Step;
use super::value::{Kind, Rank, Value, both, each, every};

fn any(b: &mut Builder) -> Option<usize> {
    if b.rng.chance(70) {
        b.of(Kind::F)
    } else {
        b.pick(|_| true)
    }
}

/// Axes merged, split, added, dropped.
pub fn reshape(b: &mut Builder) -> Option<Step> {
    let v = any(b)?;
    let rank = b.info[v].rank();
    match b.rng.range(0, 5) {
        0 | 1 if rank >= 2 => {
            let axis = b.rng.range(0, rank - 2);
            let code = format!("$0.flatten({axis}, {})", axis + 1);
            Some(moving!("merge axes", code, [v], |_, _, v| {
                let mut dims = v[0].dims();
                let next = dims.remove(axis + 1);
                dims[axis] *= next;
                v[0].clone().reshape(dims)
            }))
        }
        2 if rank < 4 => {
            // An axis that is even at all sizes: a fixed one, or one that was doubled.
            let even =
                |info: &Info, axis: usize| info.dims[axis].iter().all(|d| d % 2 == 0 && *d > 0);
            let axis = b.axis_of(v, even)?;
            let first = b.rng.chance(50);
            let order = if first { "[2, d / 2]" } else { "[d / 2, 2]" };
            let code = format!("$0.reshape(axis {axis} as {order})");
            Some(moving!("split an axis", code, [v], |_, _, v| {
                let mut dims = v[0].dims();
                let half = dims[axis] / 2;
                let parts = if first { [2, half] } else { [half, 2] };
                dims.splice(axis..=axis, parts);
                v[0].clone().reshape(dims)
            }))
        }
        3 if rank < 4 => {
            let axis = b.rng.range(0, rank);
            Some(moving!(
                "unsqueeze",
                format!("$0.unsqueeze_dim({axis})"),
                [v],
                |_, _, v| {
                    let mut dims = v[0].dims();
                    dims.insert(axis, 1);
                    v[0].clone().reshape(dims)
                }
            ))
        }
        4 if rank > 1 => {
            let axis = b.axis_of(v, |info, axis| info.fixed(axis) == Some(1))?;
            Some(moving!(
                "squeeze",
                format!("$0.squeeze_dim({axis})"),
                [v],
                |_, _, v| {
                    let mut dims = v[0].dims();
                    dims.remove(axis);
                    v[0].clone().reshape(dims)
                }
            ))
        }
        5 => Some(moving!("flatten", "$0.flatten(0, rank)", [v], |_, _, v| {
            let count = v[0].dims().iter().product();
            v[0].clone().reshape(vec![count])
        })),
        _ => None,
    }
}

/// Axes in another order, or read backwards.
pub fn order(b: &mut Builder) -> Option<Step> {
    let v = any(b)?;
    let rank = b.info[v].rank();
    if b.rng.chance(25) {
        let axis = b.axis(v);
        return Some(moving!(
            "flip",
            format!("$0.flip([{axis}])"),
            [v],
            |_, _, v| { every!(v[0].clone(), t => t.flip([axis])) }
        ));
    }
    if rank < 2 {
        return None;
    }
    let mut axes: Vec<usize> = (0..rank).collect();
    for index in (1..rank).rev() {
        axes.swap(index, b.rng.range(0, index));
    }
    Some(moving!(
        "permute",
        format!("$0.permute({axes:?})"),
        [v],
        |_, _, v| { every!(v[0].clone(), t => t.permute(axes.as_slice().try_into().unwrap())) }
    ))
}

/// The bounds of a slice of axis `axis` of operand 0, and a second operand if they need one.
fn bounds(
    b: &mut Builder,
    v: usize,
    axis: usize,
) -> Option<(Extent, Extent, isize, Option<usize>)> {
    let least = b.info[v].least(axis);
    let whole = || Extent::of(0, axis, 0);
    let some = |b: &mut Builder| b.rng.range(0, least.saturating_sub(1).min(4));
    let fixed = |value| Extent::fixed(value);
    Some(match b.rng.range(0, 9) {
        0 if least > 0 => {
            let start = some(b);
            let end = b.rng.range(start + 1, least.min(start + 3));
            (fixed(start), fixed(end), 1, None)
        }
        1 => (fixed(some(b)), whole(), 1, None),
        2 => (fixed(0), Extent::of(0, axis, -(some(b) as i64)), 1, None),
        3 if least > 0 => {
            let back = 1 + some(b);
            (Extent::of(0, axis, -(back as i64)), whole(), 1, None)
        }
        4 if least > 1 => (fixed(0), whole().half(), 1, None),
        5 if least > 1 => (whole().half(), whole(), 1, None),
        6 => (fixed(some(b)), whole(), 2, None),
        7 => (
            fixed(some(b)),
            whole(),
            if b.rng.chance(50) { -1 } else { -2 },
            None,
        ),
        // As long as an axis of another value, from the front or from the back.
        8 | 9 => {
            let own = b.info[v].dims[axis].clone();
            let shorter = |info: &Info| {
                info.dims
                    .iter()
                    .any(|dim| dim != &own && dim.iter().zip(&own).all(|(a, b)| a <= b))
            };
            let w = b.pick(shorter)?;
            let other = b.axis_of(w, |info, axis| {
                let dim = &info.dims[axis];
                dim != &own && dim.iter().zip(&own).all(|(a, b)| a <= b)
            })?;
            if b.rng.chance(50) {
                (fixed(0), Extent::of(1, other, 0), 1, Some(w))
            } else {
                (whole().less(1, other), whole(), 1, Some(w))
            }
        }
        _ => return None,
    })
}

/// A part along one axis; sometimes changed and put back.
pub fn slice(b: &mut Builder) -> Option<Step> {
    let v = any(b)?;
    let axis = b.axis(v);
    let (start, end, by, other) = bounds(b, v, axis)?;
    let w = other.unwrap_or(v);
    let range = format!("({})..({}); {by}", start.code(), end.code());
    let cut = move |v: &[Value]| Slice::new(start.at(v) as isize, Some(end.at(v) as isize), by);
    if by == 1 && b.rng.chance(25) && b.info[v].kind == Kind::F {
        let code =
            format!("$0.slice_assign(axis {axis} at {range}, -$0.slice_dim({axis}, {range}))");
        return Some(step!("slice_assign", code, [v, w], |_, _, v| {
            let cut = cut(&v);
            Value::F(each!(v[0].clone().f(), t => negated(t, axis, cut)))
        }));
    }
    let code = format!("$0.slice_dim({axis}, s![{range}])");
    Some(moving!("slice", code, [v, w], |_, _, v| {
        let cut = cut(&v);
        every!(v[0].clone(), t => t.slice_dim(axis, cut))
    }))
}

fn negated<const D: usize>(t: Tensor<D>, axis: usize, cut: Slice) -> Tensor<D> {
    let mut slices = [Slice::full(); D];
    slices[axis] = cut;
    let part = t.clone().slice(slices).neg();
    t.slice_assign(slices, part)
}

/// Tensors joined.
pub fn cat(b: &mut Builder) -> Option<Step> {
    let v = any(b)?;
    let axis = b.axis(v);
    let (kind, own) = (b.info[v].kind, b.info[v].dims.clone());
    let joins = |info: &Info| {
        info.kind == kind
            && info.rank() == own.len()
            && (0..own.len()).all(|other| other == axis || info.dims[other] == own[other])
    };
    let w = b.pick(joins)?;
    Some(moving!(
        "cat",
        format!("Tensor::cat(vec![$0, $1], {axis})"),
        [v, w],
        |_, _, v| {
            match (v[0].clone(), v[1].clone()) {
                (Value::F(a), Value::F(b)) => {
                    Value::F(both!(a, b, x, y => Tensor::cat(vec![x, y], axis)))
                }
                (Value::I(a), Value::I(b)) => {
                    Value::I(both!(a, b, x, y => Tensor::cat(vec![x, y], axis)))
                }
                (Value::B(a), Value::B(b)) => {
                    Value::B(both!(a, b, x, y => Tensor::cat(vec![x, y], axis)))
                }
                _ => unreachable!("of one kind"),
            }
        }
    ))
}

/// An axis of length one stretched to an axis of another value, or any axis repeated.
pub fn expand(b: &mut Builder) -> Option<Step> {
    let v = any(b)?;
    let w = b.rng.range(0, b.info.len() - 1);
    let other = b.axis(w);
    if let (Some(axis), true) = (
        b.axis_of(v, |info, axis| info.fixed(axis) == Some(1)),
        b.rng.chance(70),
    ) {
        let code = format!("$0.expand(axis {axis} to $1.dims()[{other}])");
        return Some(moving!("expand", code, [v, w], |_, _, v| {
            let mut dims = v[0].dims();
            dims[axis] = v[1].dims()[other];
            v[0].clone().expand(dims)
        }));
    }
    let axis = b.axis(v);
    if b.rng.chance(50) {
        let times = b.rng.range(2, 3);
        let code = format!("$0.repeat_dim({axis}, {times})");
        return Some(moving!(
            "repeat",
            code,
            [v],
            |_, _, v| every!(v[0].clone(), t => t.repeat_dim(axis, times))
        ));
    }
    let code = format!("$0.repeat_dim({axis}, $1.dims()[{other}])");
    Some(moving!("repeat", code, [v, w], |_, _, v| {
        let times = v[1].dims()[other];
        every!(v[0].clone(), t => t.repeat_dim(axis, times))
    }))
}

/// A margin, of a fixed width or as wide as some axis is long.
pub fn pad(b: &mut Builder) -> Option<Step> {
    use burn::tensor::ops::PadMode;
    let v = b.of(Kind::F)?;
    let axis = b.axis(v);
    let least = b.info[v].least(axis);
    let mode = match b.rng.range(0, 2) {
        0 => PadMode::Constant(0.5),
        1 if least > 2 => PadMode::Reflect,
        2 if least > 2 => PadMode::Edge,
        _ => PadMode::Constant(-1.0),
    };
    let (before, after) = (b.rng.range(0, 2), b.rng.range(0, 2));
    let w = b.rng.range(0, b.info.len() - 1);
    let other = b.axis(w);
    let sized = matches!(mode, PadMode::Constant(_)) && b.rng.chance(30);
    let more = if sized {
        format!("$1.dims()[{other}]")
    } else {
        after.to_string()
    };
    let code = format!("$0.pad(axis {axis} by ({before}, {more}), {mode:?})");
    Some(step!("pad", code, [v, w], |_, _, v| {
        let after = if sized { v[1].dims()[other] } else { after };
        Value::F(each!(v[0].clone().f(), t => padded(t, axis, (before, after), mode)))
    }))
}

fn padded<const D: usize>(
    t: Tensor<D>,
    axis: usize,
    by: (usize, usize),
    mode: burn::tensor::ops::PadMode,
) -> Tensor<D> {
    let mut pads = [(0, 0); D];
    pads[axis] = by;
    t.pad(pads, mode)
}
