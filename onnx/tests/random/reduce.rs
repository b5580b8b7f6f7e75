//! Along an axis: sums, extremes, orders, running sums, soft maxima.

use burn::tensor::activation as act;

use super::builder::{Builder, step};
use super::program::Step;
use super::value::{Kind, Rank, Value, each, read};

/// A float tensor and an axis that is never empty.
fn along(b: &mut Builder) -> Option<(usize, usize)> {
    let v = b.of(Kind::F)?;
    let axis = b.axis_of(v, |info, axis| info.least(axis) > 0)?;
    Some((v, axis))
}

pub fn dim(b: &mut Builder) -> Option<Step> {
    let (v, axis) = along(b)?;
    macro_rules! table {
        ($($code:literal $t:ident => $body:expr;)*) => {
            [$(step!("reduce", format!($code), [v], |_, _, v| {
                Value::F(each!(v[0].clone().f(), $t => $body))
            })),*]
        };
    }
    let table = table! {
        "$0.sum_dim({axis})" t => t.sum_dim(axis);
        "$0.mean_dim({axis})" t => t.mean_dim(axis);
        "$0.max_dim({axis})" t => t.max_dim(axis);
        "$0.min_dim({axis})" t => t.min_dim(axis);
        "$0.max_abs_dim({axis})" t => t.max_abs_dim(axis);
        "$0.tanh().add_scalar(1.5).prod_dim({axis})" t => t.tanh().mul_scalar(0.2).add_scalar(1.0).prod_dim(axis);
        "$0.var_bias({axis})" t => t.var_bias(axis);
        "$0.cumsum({axis})" t => t.cumsum(axis);
        "$0.sort({axis})" t => t.sort(axis);
        "$0.sort_descending({axis})" t => t.sort_descending(axis);
        "$0.topk(1, {axis})" t => t.topk(1, axis);
        "softmax($0, {axis})" t => act::softmax(t, axis);
        "log_softmax($0, {axis})" t => act::log_softmax(t, axis);
        "softmin($0, {axis})" t => act::softmin(t, axis);
        "quiet_softmax($0, {axis})" t => act::quiet_softmax(t, axis);
    };
    b.rng.pick(&table).cloned()
}

/// Everything to one number.
pub fn all(b: &mut Builder) -> Option<Step> {
    let v = b.of(Kind::F)?;
    macro_rules! table {
        ($($code:literal $t:ident => $body:expr;)*) => {
            [$(step!("reduce all", $code, [v], |_, _, v| {
                Value::F(Rank::R1(read!(v[0].clone().f(), $t => $body)))
            })),*]
        };
    }
    let table = table! {
        "$0.sum()" t => t.sum();
        "$0.mean()" t => t.mean();
        "$0.max()" t => t.max();
        "$0.min()" t => t.min();
    };
    b.rng.pick(&table).cloned()
}

/// Places of extremes and orders, where they are certain.
pub fn places(b: &mut Builder) -> Option<Step> {
    let (v, axis) = along(b)?;
    if !b.distinct(v, axis) {
        return None;
    }
    let table = [
        step!("argmax", format!("$0.argmax({axis})"), [v], |_, _, v| {
            Value::I(each!(v[0].clone().f(), t => t.argmax(axis)))
        }),
        step!("argmin", format!("$0.argmin({axis})"), [v], |_, _, v| {
            Value::I(each!(v[0].clone().f(), t => t.argmin(axis)))
        }),
        step!("argsort", format!("$0.argsort({axis})"), [v], |_, _, v| {
            Value::I(each!(v[0].clone().f(), t => t.argsort(axis)))
        }),
    ];
    b.rng.pick(&table).cloned()
}

/// Of integers and booleans.
pub fn others(b: &mut Builder) -> Option<Step> {
    let v = b.pick(|info| info.kind != Kind::F)?;
    let axis = b.axis_of(v, |info, axis| info.least(axis) > 0)?;
    let kind = b.info[v].kind;
    let table = match kind {
        Kind::I => [
            step!("reduce", format!("$0.sum_dim({axis})"), [v], |_, _, v| {
                Value::I(each!(v[0].clone().i(), t => t.sum_dim(axis)))
            }),
            step!("reduce", format!("$0.max_dim({axis})"), [v], |_, _, v| {
                Value::I(each!(v[0].clone().i(), t => t.max_dim(axis)))
            }),
            step!("reduce", format!("$0.cumsum({axis})"), [v], |_, _, v| {
                Value::I(each!(v[0].clone().i(), t => t.cumsum(axis)))
            }),
        ],
        _ => [
            step!("reduce", format!("$0.any_dim({axis})"), [v], |_, _, v| {
                Value::B(each!(v[0].clone().b(), t => t.any_dim(axis)))
            }),
            step!("reduce", format!("$0.all_dim({axis})"), [v], |_, _, v| {
                Value::B(each!(v[0].clone().b(), t => t.all_dim(axis)))
            }),
            step!("reduce", "$0.any()".to_string(), [v], |_, _, v| Value::B(
                Rank::R1(read!(v[0].clone().b(), t => t.any()))
            )),
        ],
    };
    b.rng.pick(&table).cloned()
}
