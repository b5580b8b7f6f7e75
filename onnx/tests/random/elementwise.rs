//! Element by element: arithmetic, activations, comparisons, masks.

use std::rc::Rc;

use burn::tensor::activation as act;

use super::builder::{Builder, step};
use super::program::{Run, Step};
use super::value::{Kind, Rank, Value, both, each};

/// Functions of one float tensor.
pub fn unary(b: &mut Builder) -> Option<Step> {
    let v = b.of(Kind::F)?;
    macro_rules! table {
        ($($code:literal $t:ident => $body:expr;)*) => {
            [$(($code, Rc::new(|_: &_, _: &_, v: Vec<Value>| {
                Value::F(each!(v[0].clone().f(), $t => $body))
            }) as Run)),*]
        };
    }
    let table: [(&str, Run); 34] = table! {
        "$0.neg()" t => t.neg();
        "$0.abs()" t => t.abs();
        "$0.clamp(-2.0, 2.0).exp()" t => t.clamp(-2.0, 2.0).exp();
        "$0.abs().add_scalar(0.1).log()" t => t.abs().add_scalar(0.1).log();
        "$0.abs().log1p()" t => t.abs().log1p();
        "$0.abs().add_scalar(0.1).sqrt()" t => t.abs().add_scalar(0.1).sqrt();
        "$0.abs().add_scalar(0.5).recip()" t => t.abs().add_scalar(0.5).recip();
        "$0.sin()" t => t.sin();
        "$0.cos()" t => t.cos();
        "$0.tanh()" t => t.tanh();
        "$0.atan()" t => t.atan();
        "$0.erf()" t => t.erf();
        "$0.square()" t => t.square();
        "$0.powi_scalar(3)" t => t.powi_scalar(3);
        "$0.abs().add_scalar(0.1).powf_scalar(1.5)" t => t.abs().add_scalar(0.1).powf_scalar(1.5);
        "$0.add_scalar(0.5)" t => t.add_scalar(0.5);
        "$0.sub_scalar(1.25)" t => t.sub_scalar(1.25);
        "$0.mul_scalar(-0.75)" t => t.mul_scalar(-0.75);
        "$0.div_scalar(1.5)" t => t.div_scalar(1.5);
        "$0.clamp(-0.5, 1.5)" t => t.clamp(-0.5, 1.5);
        "$0.clamp_min(-0.25)" t => t.clamp_min(-0.25);
        "$0.clamp_max(0.75)" t => t.clamp_max(0.75);
        "relu($0)" t => act::relu(t);
        "gelu($0)" t => act::gelu(t);
        "gelu_approximate($0)" t => act::gelu_approximate(t);
        "silu($0)" t => act::silu(t);
        "sigmoid($0)" t => act::sigmoid(t);
        "log_sigmoid($0)" t => act::log_sigmoid(t);
        "hard_sigmoid($0, 0.2, 0.5)" t => act::hard_sigmoid(t, 0.2, 0.5);
        "leaky_relu($0, 0.1)" t => act::leaky_relu(t, 0.1);
        "softplus($0, 1.0)" t => act::softplus(t, 1.0);
        "mish($0)" t => act::mish(t);
        "hard_swish($0)" t => act::hard_swish(t);
        "elu($0, 1.0)" t => act::elu(t, 1.0);
    };
    let (code, run) = b.rng.pick(&table)?.clone();
    Some(Step {
        name: "unary",
        code: code.into(),
        operands: vec![v],
        moves: false,
        run,
    })
}

/// Roundings, where no element is near a jump.
pub fn rounding(b: &mut Builder) -> Option<Step> {
    let v = b.of(Kind::F)?;
    let whole = |x: f64| (x - x.round()).abs();
    let half = |x: f64| (x - x.floor() - 0.5).abs();
    Some(match b.rng.range(0, 4) {
        0 if b.clear(v, whole) => step!("floor", "$0.floor()", [v], |_, _, v| Value::F(
            each!(v[0].clone().f(), t => t.floor())
        )),
        1 if b.clear(v, whole) => step!("ceil", "$0.ceil()", [v], |_, _, v| Value::F(
            each!(v[0].clone().f(), t => t.ceil())
        )),
        2 if b.clear(v, half) => step!("round", "$0.round()", [v], |_, _, v| Value::F(
            each!(v[0].clone().f(), t => t.round())
        )),
        3 if b.clear(v, f64::abs) => step!("sign", "$0.sign()", [v], |_, _, v| Value::F(
            each!(v[0].clone().f(), t => t.sign())
        )),
        4 if b.clear(v, whole) => step!("int", "$0.int()", [v], |_, _, v| Value::I(
            each!(v[0].clone().f(), t => t.int())
        )),
        _ => return None,
    })
}

/// Two float tensors, broadcast.
pub fn binary(b: &mut Builder) -> Option<Step> {
    let v = b.of(Kind::F)?;
    let w = b.partner(v, Kind::F)?;
    macro_rules! table {
        ($($name:literal $code:literal $x:ident $y:ident => $body:expr;)*) => {
            [$(step!($name, $code, [v, w], |_, _, v| {
                Value::F(both!(v[0].clone().f(), v[1].clone().f(), $x, $y => $body))
            })),*]
        };
    }
    let table = table! {
        "add" "$0.add($1)" x y => x.add(y);
        "sub" "$0.sub($1)" x y => x.sub(y);
        "mul" "$0.mul($1)" x y => x.mul(y);
        "div" "$0.div($1.abs().add_scalar(0.5))" x y => x.div(y.abs().add_scalar(0.5));
        "max_pair" "$0.max_pair($1)" x y => x.max_pair(y);
        "min_pair" "$0.min_pair($1)" x y => x.min_pair(y);
        "powf" "$0.abs().add_scalar(0.5).powf($1.clamp(-2.0, 2.0))" x y => x.abs().add_scalar(0.5).powf(y.clamp(-2.0, 2.0));
        "residual" "$0.add($1.mul_scalar(0.5))" x y => x.add(y.mul_scalar(0.5));
    };
    b.rng.pick(&table).cloned()
}

/// Whole numbers.
pub fn integer(b: &mut Builder) -> Option<Step> {
    let v = b.of(Kind::I)?;
    let w = b.partner(v, Kind::I)?;
    macro_rules! table {
        ($($code:literal $x:ident $y:ident => $body:expr;)*) => {
            [$(step!("integer", $code, [v, w], |_, _, v| {
                Value::I(both!(v[0].clone().i(), v[1].clone().i(), $x, $y => { let _ = &$y; $body }))
            })),*]
        };
    }
    let table = table! {
        "$0.add($1)" x y => x.add(y);
        "$0.sub($1)" x y => x.sub(y);
        "$0.mul($1)" x y => x.mul(y);
        "$0.add_scalar(3)" x y => x.add_scalar(3);
        "$0.mul_scalar(-2)" x y => x.mul_scalar(-2);
        "$0.remainder_scalar(5)" x y => x.remainder_scalar(5);
        "$0.abs().div_scalar(2)" x y => x.abs().div_scalar(2);
        "$0.neg()" x y => x.neg();
        "$0.abs()" x y => x.abs();
        "$0.sign()" x y => x.sign();
        "$0.clamp(-2, 4)" x y => x.clamp(-2, 4);
        "$0.max_pair($1)" x y => x.max_pair(y);
        "$0.bitwise_and_scalar(6)" x y => x.abs().bitwise_and_scalar(6);
    };
    b.rng.pick(&table).cloned()
}

/// Comparisons of floats that are apart, and of integers.
pub fn compare(b: &mut Builder) -> Option<Step> {
    let v = b.pick(|info| info.kind != Kind::B)?;
    let kind = b.info[v].kind;
    if kind == Kind::I {
        let w = b.partner(v, Kind::I)?;
        macro_rules! table {
            ($($code:literal $x:ident $y:ident => $body:expr;)*) => {
                [$(step!("compare", $code, [v, w], |_, _, v| {
                    Value::B(both!(v[0].clone().i(), v[1].clone().i(), $x, $y => { let _ = &$y; $body }))
                })),*]
            };
        }
        let table = table! {
            "$0.equal($1)" x y => x.equal(y);
            "$0.not_equal($1)" x y => x.not_equal(y);
            "$0.greater($1)" x y => x.greater(y);
            "$0.greater_equal($1)" x y => x.greater_equal(y);
            "$0.lower($1)" x y => x.lower(y);
            "$0.lower_equal($1)" x y => x.lower_equal(y);
            "$0.equal_elem(2)" x y => x.equal_elem(2);
            "$0.lower_elem(3)" x y => x.lower_elem(3);
            "$0.greater_equal_elem(1)" x y => x.greater_equal_elem(1);
        };
        return b.rng.pick(&table).cloned();
    }
    if !b.clear(v, |x| (x - 0.25).abs()) {
        return None;
    }
    let table = [
        step!("compare", "$0.greater_elem(0.25)", [v], |_, _, v| Value::B(
            each!(v[0].clone().f(), t => t.greater_elem(0.25))
        )),
        step!("compare", "$0.lower_equal_elem(0.25)", [v], |_, _, v| {
            Value::B(each!(v[0].clone().f(), t => t.lower_equal_elem(0.25)))
        }),
    ];
    b.rng.pick(&table).cloned()
}

/// Booleans, and what becomes of them.
pub fn logic(b: &mut Builder) -> Option<Step> {
    let v = b.of(Kind::B)?;
    let w = b.partner(v, Kind::B)?;
    let table = [
        step!("not", "$0.bool_not()", [v], |_, _, v| Value::B(
            each!(v[0].clone().b(), t => t.bool_not())
        )),
        step!("and", "$0.bool_and($1)", [v, w], |_, _, v| Value::B(
            both!(v[0].clone().b(), v[1].clone().b(), x, y => x.bool_and(y))
        )),
        step!("or", "$0.bool_or($1)", [v, w], |_, _, v| Value::B(
            both!(v[0].clone().b(), v[1].clone().b(), x, y => x.bool_or(y))
        )),
        step!("xor", "$0.bool_xor($1)", [v, w], |_, _, v| Value::B(
            both!(v[0].clone().b(), v[1].clone().b(), x, y => x.bool_xor(y))
        )),
        step!("int", "$0.int()", [v], |_, _, v| Value::I(
            each!(v[0].clone().b(), t => t.int())
        )),
        step!("float", "$0.float()", [v], |_, _, v| Value::F(
            each!(v[0].clone().b(), t => t.float())
        )),
    ];
    b.rng.pick(&table).cloned()
}

/// Integers as floats.
pub fn float(b: &mut Builder) -> Option<Step> {
    let v = b.of(Kind::I)?;
    Some(step!("float", "$0.float()", [v], |_, _, v| Value::F(
        each!(v[0].clone().i(), t => t.float())
    )))
}

/// `mask_fill` and `mask_where`, by a mask that broadcasts.
pub fn mask(b: &mut Builder) -> Option<Step> {
    let v = b.pick(|info| info.kind != Kind::B)?;
    let kind = b.info[v].kind;
    let m = b.partner(v, Kind::B)?;
    let w = b.partner(v, kind)?;
    // Burn's masks have the tensor's shape, or fewer ones.
    Some(match b.rng.range(0, 1) {
        0 => step!("mask_fill", "$0.mask_fill($1, -1)", [v, m], |_, _, v| {
            let [value, mask] = [v[0].clone(), v[1].clone()];
            match value {
                Value::F(x) => Value::F(both!(x, mask.b(), x, m => x.mask_fill(m, -1.0))),
                Value::I(x) => Value::I(both!(x, mask.b(), x, m => x.mask_fill(m, -1))),
                Value::B(_) => unreachable!(),
            }
        }),
        _ => step!(
            "mask_where",
            "$0.mask_where($1, $2)",
            [v, m, w],
            |_, _, v| {
                let dims = v[0].dims();
                let (mask, other) = (
                    v[1].clone().expand(dims.clone()).b(),
                    v[2].clone().expand(dims),
                );
                match v[0].clone() {
                    Value::F(x) => {
                        let pair = both!(x, mask, x, m => (x, m));
                        Value::F(both!(pair, other.f(), pair, y => pair.0.mask_where(pair.1, y)))
                    }
                    Value::I(x) => {
                        let pair = both!(x, mask, x, m => (x, m));
                        Value::I(both!(pair, other.i(), pair, y => pair.0.mask_where(pair.1, y)))
                    }
                    Value::B(_) => unreachable!(),
                }
            }
        ),
    })
}

/// A number that follows a size.
pub fn sized_scalar(b: &mut Builder) -> Option<Step> {
    let v = b.of(Kind::F)?;
    let w = b.rng.range(0, b.info.len() - 1);
    let axis = b.axis(w);
    if b.info[w].least(axis) == 0 {
        return None;
    }
    let code = |op: &str| format!("$0.{op}($1.dims()[{axis}] as f32)");
    Some(match b.rng.range(0, 2) {
        0 => step!("size as a scalar", code("div_scalar"), [v, w], |_, _, v| {
            let size = v[1].dims()[axis] as f32;
            Value::F(each!(v[0].clone().f(), t => t.div_scalar(size)))
        }),
        1 => step!("size as a scalar", code("add_scalar"), [v, w], |_, _, v| {
            let size = v[1].dims()[axis] as f32;
            Value::F(each!(v[0].clone().f(), t => t.add_scalar(size)))
        }),
        _ => step!(
            "size as a scalar",
            code("mul_scalar(1.0 /"),
            [v, w],
            |_, _, v| {
                let size = v[1].dims()[axis] as f32;
                Value::F(each!(v[0].clone().f(), t => t.mul_scalar(1.0 / size)))
            }
        ),
    })
}
