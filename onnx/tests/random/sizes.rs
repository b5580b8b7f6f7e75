//! What depends on sizes beyond shapes: branches, tensors made of a size, maps of any size averaged.

use burn::tensor::{Tensor, module as ops};

use super::builder::{Builder, Info, step};
use super::program::Step;
use super::value::{Kind, Rank, Value, each, only};

/// What the steps are called that take another way at some sizes: most of them are refused.
pub const BRANCH: &str = "branch";

/// Two ways, by how long an axis is.
pub fn branch(b: &mut Builder) -> Option<Step> {
    let v = b.of(Kind::F)?;
    let axis = b.axis(v);
    let limit = b.rng.range(0, 12) * b.rng.range(1, 5);
    // One in four ways gives the same.
    let alike = b.rng.chance(25);
    let code = format!(
        "if $0.dims()[{axis}] > {limit} {{ $0.mul_scalar(2.0) }} else {{ {} }}",
        if alike {
            "$0.clone().add($0)"
        } else {
            "$0.add_scalar(1.0)"
        }
    );
    Some(step!(BRANCH, code, [v], |_, _, v| {
        let long = v[0].dims()[axis] > limit;
        Value::F(each!(v[0].clone().f(), t => match (long, alike) {
            (true, _) => t.mul_scalar(2.0),
            (false, true) => t.clone().add(t),
            (false, false) => t.add_scalar(1.0),
        }))
    }))
}

/// A tensor that the forward pass makes, of the shape of another.
pub fn made(b: &mut Builder) -> Option<Step> {
    let v = b.of(Kind::F)?;
    Some(match b.rng.range(0, 2) {
        0 => step!(
            "made",
            "$0.add(Tensor::ones($0.dims()) * 0.5)",
            [v],
            |_, d, v| {
                Value::F(each!(v[0].clone().f(), t => {
                    let made = Tensor::ones(t.dims(), d).mul_scalar(0.5);
                    t.add(made)
                }))
            }
        ),
        1 => step!(
            "made",
            "Tensor::full($0.dims(), 1.5).sub($0)",
            [v],
            |_, d, v| {
                Value::F(each!(v[0].clone().f(), t => Tensor::full(t.dims(), 1.5, d).sub(t)))
            }
        ),
        _ => step!(
            "made",
            "$0.max_pair(Tensor::zeros($0.dims()))",
            [v],
            |_, d, v| {
                Value::F(each!(v[0].clone().f(), t => {
                    let made = Tensor::zeros(t.dims(), d);
                    t.max_pair(made)
                }))
            }
        ),
    })
}

/// The mean of a whole map, or of parts of it.
pub fn pooled(b: &mut Builder) -> Option<Step> {
    let fits = |info: &Info| info.kind == Kind::F && info.rank() == 4 && info.never_empty();
    let v = b.pick(fits)?;
    let to = [b.rng.range(1, 3), b.rng.range(1, 2)];
    Some(if b.rng.chance(50) {
        step!(
            "adaptive",
            format!("adaptive_avg_pool2d($0, {to:?})"),
            [v],
            |_, _, v| { ops::adaptive_avg_pool2d(only!(v[0].clone().f(), R4), to).into() }
        )
    } else {
        step!("means", "$0.mean_dim(2).mean_dim(3)", [v], |_, _, v| {
            let x = only!(v[0].clone().f(), R4);
            x.mean_dim(2).mean_dim(3).into()
        })
    })
}
