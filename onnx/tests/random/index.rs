//! Elements by index, tensors out of nothing, masks.

use burn::tensor::{Bool, Int, Tensor};

use super::builder::{Builder, moving, step};
use super::extent::Extent;
use super::program::Step;
use super::value::{Kind, Rank, Value, both, every, only};

/// A range of an axis' length: from zero, or from where another axis ends.
pub fn range(b: &mut Builder) -> Option<Step> {
    let (v, w) = (
        b.rng.range(0, b.info.len() - 1),
        b.rng.range(0, b.info.len() - 1),
    );
    let (axis, other) = (b.axis(v), b.axis(w));
    let start = match b.rng.range(0, 2) {
        0 => Extent::of(1, other, 0),
        1 => Extent::fixed(b.rng.range(0, 3)),
        _ => Extent::fixed(0),
    };
    let code = format!("Tensor::arange({0}..{0} + $0.dims()[{axis}])", start.code());
    Some(step!("arange", code, [v, w], |_, device, v| {
        let (start, length) = (start.at(&v) as i64, v[0].dims()[axis] as i64);
        Tensor::<1, Int>::arange(start..start + length, device).into()
    }))
}

/// A tensor filled, of the shape of another.
pub fn fill(b: &mut Builder) -> Option<Step> {
    let v = b.rng.range(0, b.info.len() - 1);
    let number = b.rng.range(0, 3) as f64 - 1.0;
    Some(step!(
        "full",
        format!("Tensor::full($0.dims(), {number}.0)"),
        [v],
        |_, device, v| {
            Value::from(Tensor::<1>::full([1], number, device))
                .reshape(vec![1; v[0].dims().len()])
                .expand(v[0].dims())
        }
    ))
}

/// A triangle over two axes: aligned at the start, at the end, or off by one.
pub fn triangle(b: &mut Builder) -> Option<Step> {
    let (v, w) = (
        b.rng.range(0, b.info.len() - 1),
        b.rng.range(0, b.info.len() - 1),
    );
    let (rows, columns) = (b.axis(v), b.axis(w));
    let (end, upper) = (b.rng.chance(60), b.rng.chance(50));
    let more = b.rng.range(0, 2) as i64 - 1;
    let offset = if end {
        format!("columns - rows + {more}")
    } else {
        more.to_string()
    };
    let name = if upper { "triu_mask" } else { "tril_mask" };
    let code = format!("Tensor::{name}([$0.dims()[{rows}], $1.dims()[{columns}]], {offset})");
    Some(step!("triangle", code, [v, w], |_, device, v| {
        let shape = [v[0].dims()[rows], v[1].dims()[columns]];
        let offset = more
            + if end {
                shape[1] as i64 - shape[0] as i64
            } else {
                0
            };
        let mask = match upper {
            true => Tensor::<2, Bool>::triu_mask(shape, offset, device),
            false => Tensor::<2, Bool>::tril_mask(shape, offset, device),
        };
        mask.into()
    }))
}

/// Whole slices by index: a range of some axis' length, within bounds.
pub fn select(b: &mut Builder) -> Option<Step> {
    let v = b.pick(|_| true)?;
    let axis = b.axis_of(v, |info, axis| info.least(axis) > 0)?;
    let i = b.pick(|info| info.kind == Kind::I && info.rank() == 1)?;
    let code = format!("$0.select({axis}, $1.abs().remainder_scalar($0.dims()[{axis}] as i64))");
    Some(moving!("select", code, [v, i], |_, _, v| {
        let index = only!(v[1].clone().i(), R1)
            .abs()
            .remainder_scalar(v[0].dims()[axis] as i64);
        every!(v[0].clone(), t => t.select(axis, index))
    }))
}

/// Single elements by index.
pub fn gather(b: &mut Builder) -> Option<Step> {
    let v = b.of(Kind::F)?;
    let axis = b.axis_of(v, |info, axis| info.least(axis) > 0)?;
    let own = b.info[v].dims.clone();
    let i = b.pick(|info| {
        info.kind == Kind::I
            && info.rank() == own.len()
            && (0..own.len()).all(|other| other == axis || info.dims[other] == own[other])
    })?;
    let code = format!("$0.gather({axis}, $1.abs().remainder_scalar($0.dims()[{axis}] as i64))");
    Some(moving!("gather", code, [v, i], |_, _, v| {
        let size = v[0].dims()[axis] as i64;
        Value::F(
            both!(v[0].clone().f(), v[1].clone().i(), t, i => t.gather(axis, i.abs().remainder_scalar(size))),
        )
    }))
}
