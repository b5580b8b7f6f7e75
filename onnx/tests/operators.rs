//! Every lowered family of operators: Burn against the embedded runtimes, at sizes no trace had.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;

use burn::module::{Module, Param};
use burn::tensor::activation::*;
use burn::tensor::module::*;
use burn::tensor::ops::{
    AttentionModuleOptions, AvgPoolOptions, ConvOptions, ConvTransposeOptions, MaxPoolOptions,
    PadMode,
};
use burn::tensor::{Bool, Device, IndexingUpdateOp, Int, Tensor, TensorData};
use common::Runtime::{Rten, Tract};
use common::*;
use fluxo_onnx::{Args, Dim, Input, Outputs, Spec};

#[derive(Module, Debug)]
struct Weights {
    // [6, 4]
    matrix: Param<Tensor<2>>,
    // [4]
    vector: Param<Tensor<1>>,
}

fn weights() -> Weights {
    let device = Device::flex();
    Weights {
        matrix: Param::from_tensor(Tensor::from_data(floats(&[6, 4], 91), &device)),
        vector: Param::from_tensor(Tensor::from_data(floats(&[4], 92), &device)),
    }
}

/// Inputs that every case may use: x, y float [batch, seq, 4]; n int [batch, seq, 4] in 0..6,
/// s signed int [batch, seq, 4]; b bool [batch, seq, 4]; image float [batch, 3, 12, 10].
fn spec() -> Spec {
    let dims = || -> [Dim; 3] { ["batch".into(), "seq".into(), 4.into()] };
    let image: [Dim; 4] = ["batch".into(), 3.into(), 12.into(), 10.into()];
    Spec::new("case")
        .input(Input::float("x", dims()))
        .input(Input::float("y", dims()))
        .input(Input::int("n", dims()))
        .input(Input::int("s", dims()))
        .input(Input::bool("b", dims()))
        .input(Input::float("image", image))
}

fn cases() -> Vec<BTreeMap<String, TensorData>> {
    [(1, 1), (3, 2), (2, 9)]
        .into_iter()
        .map(|(batch, seq)| {
            let shape = [batch, seq, 4];
            inputs([
                ("x", floats(&shape, 1)),
                ("y", floats(&shape, 2)),
                ("n", ints(&shape, 0, 6, 3)),
                ("s", ints(&shape, -9, 10, 4)),
                ("b", flags(&shape, 5)),
                ("image", floats(&[batch, 3, 12, 10], 6)),
            ])
        })
        .collect()
}

struct A<'a, 'b>(&'a mut Args<'b>, &'a Weights);

impl A<'_, '_> {
    fn x(&mut self) -> Tensor<3> {
        self.0.float("x")
    }
    fn y(&mut self) -> Tensor<3> {
        self.0.float("y")
    }
    fn n(&mut self) -> Tensor<3, Int> {
        self.0.int("n")
    }
    fn s(&mut self) -> Tensor<3, Int> {
        self.0.int("s")
    }
    fn b(&mut self) -> Tensor<3, Bool> {
        self.0.bool("b")
    }
    fn image(&mut self) -> Tensor<4> {
        self.0.float("image")
    }
    fn device(&self) -> Device {
        self.0.device()
    }
}

fn f<const D: usize>(tensor: Tensor<D>) -> Outputs {
    Outputs::new().float("out", tensor)
}

fn i<const D: usize>(tensor: Tensor<D, Int>) -> Outputs {
    Outputs::new().int("out", tensor)
}

fn b<const D: usize>(tensor: Tensor<D, Bool>) -> Outputs {
    Outputs::new().bool("out", tensor)
}

type Case = (&'static str, &'static [Runtime], fn(A) -> Outputs);
const BOTH: &[Runtime] = &ALL;

fn check(table: &[Case]) {
    let module = weights();
    let mut wrong = Vec::new();
    for (name, runtimes, run) in table {
        let forward = |module: &Weights, args: &mut Args| run(A(args, module));
        if let Err(error) = agree(name, &module, &spec(), runtimes, 1e-5, forward, &cases()) {
            wrong.push(error);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn arithmetic() {
    check(&[
        ("add", BOTH, |mut a| f(a.x() + a.y())),
        ("sub scalar", BOTH, |mut a| f(a.x() - 1.5)),
        ("mul div", BOTH, |mut a| {
            f(a.x() * a.y() / (a.y().abs() + 0.5))
        }),
        ("rem", BOTH, |mut a| f(a.x().remainder(a.y().abs() + 0.5))),
        ("rem scalar", BOTH, |mut a| f(a.x().remainder_scalar(0.75))),
        ("rem negative", BOTH, |mut a| {
            f(a.x().remainder_scalar(-0.75))
        }),
        ("int add mul", BOTH, |mut a| i(a.s() * a.n() + a.s())),
        ("int div scalar", BOTH, |mut a| i(a.s() / 4)),
        ("int div", BOTH, |mut a| i(a.s() / (a.n() + 1))),
        ("int rem", BOTH, |mut a| i(a.s().remainder(a.n() + 1))),
        ("int rem scalar", BOTH, |mut a| i(a.s().remainder_scalar(4))),
        ("int rem negative", BOTH, |mut a| {
            i(a.s().remainder_scalar(-4))
        }),
        ("int abs neg sign", BOTH, |mut a| {
            i(a.s().abs() - a.s().neg() + a.s().sign())
        }),
        ("int clamp", BOTH, |mut a| i(a.s().clamp(-3, 4))),
        ("int shift", BOTH, |mut a| {
            i(a.n().bitwise_left_shift_scalar(2))
        }),
        ("bitwise", &[Tract], |mut a| {
            i(a.n()
                .bitwise_and_scalar(5)
                .bitwise_xor(a.n().bitwise_or_scalar(8)))
        }),
        ("abs neg sign", BOTH, |mut a| {
            f(a.x().abs() + a.x().neg() * a.x().sign())
        }),
        ("exp log", BOTH, |mut a| f((a.x().exp() + 1.0).log())),
        ("log1p", BOTH, |mut a| {
            f(a.x().abs().log1p() + (a.x() * 1e-6).log1p() * 1e6)
        }),
        ("sqrt recip", BOTH, |mut a| {
            f((a.x().abs() + 0.1).sqrt().recip())
        }),
        ("erf tanh", BOTH, |mut a| f(a.x().erf() + a.x().tanh())),
        ("sin cos tan", BOTH, |mut a| {
            f(a.x().sin() + a.x().cos() + (a.x() * 0.5).tan())
        }),
        ("sinh cosh", BOTH, |mut a| f(a.x().sinh() + a.x().cosh())),
        ("inverse trigonometry", BOTH, |mut a| {
            f((a.x() * 0.4).asin() + (a.x() * 0.4).acos() + a.x().atan())
        }),
        ("powers", BOTH, |mut a| {
            f(a.x().powf_scalar(2.0) + a.x().powf_scalar(3.0) + a.x().abs().powf_scalar(0.5))
        }),
        ("odd power", BOTH, |mut a| {
            f((a.x().abs() + 0.1).powf_scalar(1.7))
        }),
        ("powi", BOTH, |mut a| {
            f(a.x().powi_scalar(3) + a.x().powi_scalar(4))
        }),
        ("powf", BOTH, |mut a| f((a.x().abs() + 0.1).powf(a.y()))),
        ("int square", BOTH, |mut a| {
            let s = a.s();
            i(s.clone() * s)
        }),
        ("int powi", BOTH, |mut a| i(a.s().powi_scalar(2))),
        ("rounding", BOTH, |mut a| {
            f(a.x().round() + a.x().floor() * 10.0 + a.x().ceil() * 100.0)
        }),
        ("trunc", BOTH, |mut a| f(a.x().trunc())),
        ("clamp", BOTH, |mut a| {
            f(a.x().clamp(-0.5, 1.0) + a.y().clamp_min(0.2) + a.y().clamp_max(0.1))
        }),
        ("casts", BOTH, |mut a| {
            f(a.s().float() + a.b().float() + a.x().int().float() + a.b().int().float())
        }),
    ]);
}

#[test]
fn comparisons_and_choices() {
    check(&[
        ("greater", BOTH, |mut a| b(a.x().greater(a.y()))),
        ("lower equal", BOTH, |mut a| {
            b(a.x()
                .lower_equal(a.y())
                .bool_or(a.s().greater_equal_elem(3)))
        }),
        ("int compare", BOTH, |mut a| {
            b(a.s().lower(a.n()).bool_and(a.s().not_equal(a.n())))
        }),
        ("equal", BOTH, |mut a| {
            b(a.n().equal_elem(2).bool_xor(a.n().not_equal_elem(4)))
        }),
        ("not", BOTH, |mut a| b(a.b().bool_not())),
        ("bool equal", BOTH, |mut a| {
            let c = a.n().greater_elem(2);
            b(a.b().equal(c))
        }),
        ("mask where", BOTH, |mut a| {
            f(a.x().mask_where(a.b(), a.y()))
        }),
        ("mask fill", BOTH, |mut a| f(a.x().mask_fill(a.b(), -7.5))),
        ("mask fill int", BOTH, |mut a| i(a.n().mask_fill(a.b(), -7))),
        ("mask fill infinity", BOTH, |mut a| {
            f(a.x().mask_fill(a.b(), f32::NEG_INFINITY).clamp_min(-1e6))
        }),
        ("any all dims", BOTH, |mut a| {
            b(a.b().any_dim(2).bool_and(a.n().greater_elem(0).all_dim(2)))
        }),
        ("any all", BOTH, |mut a| {
            b(Tensor::cat(vec![a.b().any(), a.b().all()], 0))
        }),
        ("is nan", BOTH, |mut a| b(a.x().log().is_nan())),
    ]);
}

#[test]
fn reductions() {
    check(&[
        ("mean dim", BOTH, |mut a| {
            f(a.x().mean_dim(1) + a.x().mean_dim(2).mean_dim(1))
        }),
        ("sum dim", BOTH, |mut a| f(a.x().sum_dim(0))),
        ("int sum dim", BOTH, |mut a| i(a.s().sum_dim(1))),
        ("sum mean all", BOTH, |mut a| f(a.x().sum() + a.y().mean())),
        ("max min", BOTH, |mut a| {
            f(a.x().max_dim(2) + a.x().min_dim(2) + a.y().max().unsqueeze())
        }),
        ("int max", BOTH, |mut a| {
            i(a.s().max_dim(1) - a.s().min_dim(1))
        }),
        ("max abs", BOTH, |mut a| f(a.x().max_abs_dim(2))),
        ("prod", BOTH, |mut a| f(a.x().prod_dim(2))),
        ("argmax", BOTH, |mut a| i(a.x().argmax(2) + a.x().argmin(2))),
        ("argmax middle", BOTH, |mut a| i(a.x().argmax(1))),
        // rten takes the last of equal elements, Burn and ONNX the first.
        ("int argmax", &[Tract], |mut a| i(a.s().argmax(2))),
        ("max with indices", BOTH, |mut a| {
            let (v, n) = a.x().max_dim_with_indices(2);
            Outputs::new().float("values", v).int("places", n)
        }),
        ("topk", BOTH, |mut a| {
            let (v, n) = a.x().topk_with_indices(2, 2);
            Outputs::new().float("values", v).int("places", n)
        }),
        ("sort", &[Rten], |mut a| {
            let (v, n) = a.x().sort_with_indices(1);
            Outputs::new().float("values", v).int("places", n)
        }),
        ("sort fixed", BOTH, |mut a| f(a.x().sort_descending(2))),
        ("cumsum", BOTH, |mut a| f(a.x().cumsum(1))),
        ("int cumsum", BOTH, |mut a| {
            i(a.s().cumsum(1) + a.s().cumsum(2))
        }),
        ("bool cumsum", BOTH, |mut a| i(a.b().int().cumsum(1))),
        // To tract what is cast to 64-bit integers is a size, which it has no running sum of.
        ("cast cumsum", &[Rten], |mut a| {
            i((a.x() * 3.0).int().cumsum(1))
        }),
        ("variance", BOTH, |mut a| {
            f(a.x().var_bias(2) + a.x().var_mean_bias(2).1)
        }),
    ]);
}

#[test]
fn layout_and_indexing() {
    check(&[
        ("reshape flatten", BOTH, |mut a| f(a.x().flatten::<2>(0, 1))),
        ("reshape split", BOTH, |mut a| {
            let [n, m, _] = a.x().dims();
            f(a.x().reshape([n, m, 2, 2]).swap_dims(1, 2))
        }),
        ("reshape unfold", BOTH, |mut a| {
            let [n, m, _] = a.x().dims();
            f(a.x().reshape([n * m, 4]).exp().reshape([n, m * 2, 2]))
        }),
        ("permute", BOTH, |mut a| f(a.x().permute([2, 0, 1]))),
        ("transpose", BOTH, |mut a| f(a.x().transpose())),
        ("flip", BOTH, |mut a| f(a.x().flip([1, 2]))),
        ("flip fixed", BOTH, |mut a| f(a.x().flip([2]))),
        ("expand", BOTH, |mut a| {
            let [n, m, _] = a.x().dims();
            f(a.x().slice([0..n, 0..1, 0..4]).expand([n, m, 4]))
        }),
        ("unsqueeze squeeze", BOTH, |mut a| {
            f(a.x().unsqueeze_dim::<4>(1).squeeze_dim::<3>(1))
        }),
        ("slice", BOTH, |mut a| {
            let [n, m, _] = a.x().dims();
            f(a.x().slice([0..n, m - 1..m, 1..3]))
        }),
        ("slice from end", BOTH, |mut a| {
            let [_, m, _] = a.x().dims();
            f(a.x().slice([0..1, m / m - 1..m, 2..4]))
        }),
        ("slice step", BOTH, |mut a| {
            f(a.x().slice(burn::tensor::s![.., .., 0..4;2]))
        }),
        ("slice back", BOTH, |mut a| {
            f(a.x().slice(burn::tensor::s![.., .., 0..4;-1]))
        }),
        ("slice assign", BOTH, |mut a| {
            let [n, m, _] = a.x().dims();
            let y = a.y().slice([0..n, 0..1, 0..2]);
            f(a.x().slice_assign([0..n, m - 1..m, 1..3], y))
        }),
        ("repeat", BOTH, |mut a| {
            f(a.x().repeat_dim(2, 3).repeat_dim(0, 2))
        }),
        ("repeat by size", BOTH, |mut a| {
            let [_, m, _] = a.x().dims();
            f(a.x().slice([0..1, 0..1, 0..4]).repeat_dim(1, m))
        }),
        ("cat", BOTH, |mut a| {
            f(Tensor::cat(vec![a.x(), a.y(), a.x()], 1))
        }),
        ("stack", BOTH, |mut a| {
            f(Tensor::stack::<4>(vec![a.x(), a.y()], 1))
        }),
        ("chunk", BOTH, |mut a| {
            let parts = a.x().chunk(2, 2);
            f(parts[1].clone() - parts[0].clone())
        }),
        ("pad", BOTH, |mut a| {
            f(a.image().pad((1, 2, 0, 3), PadMode::Constant(0.5)))
        }),
        ("pad edge", BOTH, |mut a| {
            f(a.image().pad((1, 2, 0, 3), PadMode::Edge))
        }),
        ("select", BOTH, |mut a| {
            let n = a.n().flatten::<1>(0, 2);
            f(a.1.matrix.val().select(0, n))
        }),
        ("select middle", BOTH, |mut a| {
            let n = a
                .n()
                .slice([0..1, 0..1, 0..4])
                .flatten::<1>(0, 2)
                .clamp_max(3);
            f(a.x().select(2, n))
        }),
        ("gather", BOTH, |mut a| {
            let n = a.n().clamp_max(3);
            f(a.x().gather(2, n))
        }),
        ("embedding", BOTH, |mut a| {
            let n = a.n().slice([0..1, 0..1, 0..4]).squeeze_dim::<2>(0);
            f(embedding(a.1.matrix.val(), n))
        }),
        ("scatter", BOTH, |mut a| {
            let n = a.n().clamp_max(3);
            f(a.x().scatter(2, n, a.y(), IndexingUpdateOp::Add))
        }),
        ("select assign", BOTH, |mut a| {
            let n = a
                .n()
                .slice([0..1, 0..1, 0..4])
                .flatten::<1>(0, 2)
                .clamp_max(3);
            f(a.x().select_assign(2, n, a.y(), IndexingUpdateOp::Add))
        }),
    ]);
}

#[test]
fn products_norms_and_activations() {
    check(&[
        ("matmul", BOTH, |mut a| f(a.x().matmul(a.y().transpose()))),
        ("matmul weight", BOTH, |mut a| {
            let w = a.1.matrix.val().transpose();
            f(a.x().matmul(w.unsqueeze()))
        }),
        ("linear", BOTH, |mut a| {
            let w = a.1.matrix.val().transpose();
            f(linear(a.x(), w, None))
        }),
        ("layer norm", BOTH, |mut a| {
            let g = a.1.vector.val();
            f(layer_norm(a.x(), g.clone(), Some(g * 0.5), 1e-5))
        }),
        ("layer norm without bias", BOTH, |mut a| {
            let g = a.1.vector.val();
            f(layer_norm(a.x(), g, None, 1e-5))
        }),
        ("relu", BOTH, |mut a| f(relu(a.x()))),
        ("gelu", BOTH, |mut a| f(gelu(a.x()))),
        ("gelu approximate", BOTH, |mut a| f(gelu_approximate(a.x()))),
        ("silu", BOTH, |mut a| f(silu(a.x()))),
        ("sigmoid", BOTH, |mut a| f(sigmoid(a.x()))),
        ("hard sigmoid", BOTH, |mut a| {
            f(hard_sigmoid(a.x(), 0.2, 0.5))
        }),
        ("log sigmoid", BOTH, |mut a| f(log_sigmoid(a.x() * 20.0))),
        ("leaky relu", BOTH, |mut a| f(leaky_relu(a.x(), 0.1))),
        ("prelu", BOTH, |mut a| {
            let w = a.1.vector.val().slice(0..1);
            f(prelu(a.x(), w))
        }),
        ("softplus", BOTH, |mut a| f(softplus(a.x(), 1.0))),
        ("tanh mish", BOTH, |mut a| f(tanh(a.x()) + mish(a.y()))),
        ("softmax", BOTH, |mut a| f(softmax(a.x(), 2))),
        ("softmax middle", BOTH, |mut a| f(softmax(a.x(), 1))),
        ("log softmax", BOTH, |mut a| f(log_softmax(a.x(), 2))),
        ("softmin", BOTH, |mut a| f(softmin(a.x(), 2))),
        ("quiet softmax", BOTH, |mut a| f(quiet_softmax(a.x(), 2))),
    ]);
}

/// query, key, value: [batch, 2, seq, 2]
fn heads(a: &mut A) -> [Tensor<4>; 3] {
    let split = |x: Tensor<3>| {
        let [n, m, _] = x.dims();
        x.reshape([n, m, 2, 2]).swap_dims(1, 2)
    };
    [split(a.x()), split(a.y()), split(a.x() - a.y())]
}

fn attend(mut a: A, mask: bool, bias: bool, options: AttentionModuleOptions) -> Outputs {
    let [q, k, v] = heads(&mut a);
    let [n, h, m, _] = q.dims();
    let lead = a.x().slice([0..n, 0..m, 0..1]).reshape([n, 1, 1, m]);
    // Whole rows are masked where every key is.
    let mask = mask.then(|| lead.clone().greater_elem(-1.0).expand([n, h, m, m]));
    let bias = bias.then(|| {
        let bias = lead
            .clone()
            .mask_fill(lead.clone().greater_elem(1.0), f32::NEG_INFINITY);
        bias.expand([n, h, m, m])
    });
    f(attention(q, k, v, mask, bias, options))
}

#[test]
fn attention_in_all_its_forms() {
    fn options(
        scale: Option<f64>,
        softcap: Option<f64>,
        is_causal: bool,
    ) -> AttentionModuleOptions {
        AttentionModuleOptions {
            scale,
            softcap,
            is_causal,
        }
    }
    check(&[
        ("plain", BOTH, |a| {
            attend(a, false, false, options(None, None, false))
        }),
        ("masked", BOTH, |a| {
            attend(a, true, false, options(None, None, false))
        }),
        ("biased", BOTH, |a| {
            attend(a, false, true, options(None, None, false))
        }),
        ("masked biased", BOTH, |a| {
            attend(a, true, true, options(Some(0.3), None, false))
        }),
        ("causal", BOTH, |a| {
            attend(a, false, false, options(None, None, true))
        }),
        ("causal masked", BOTH, |a| {
            attend(a, true, false, options(None, Some(2.0), true))
        }),
        ("softcap", BOTH, |a| {
            attend(a, false, false, options(None, Some(1.5), false))
        }),
        ("longer keys", BOTH, |mut a| {
            let [q, k, v] = heads(&mut a);
            let k = Tensor::cat(vec![k.clone(), k], 2);
            let v = Tensor::cat(vec![v.clone(), v], 2);
            f(attention(q, k, v, None, None, options(None, None, true)))
        }),
    ]);
}

#[test]
fn tensors_out_of_nothing() {
    check(&[
        ("arange", BOTH, |mut a| {
            let [_, m, _] = a.x().dims();
            i(Tensor::<1, Int>::arange(0..m as i64, &a.device()))
        }),
        ("arange from", BOTH, |mut a| {
            let [n, m, _] = a.x().dims();
            f(Tensor::<1, Int>::arange(n as i64..(n + m) as i64, &a.device()).float())
        }),
        ("arange step", BOTH, |mut a| {
            let [_, m, _] = a.x().dims();
            i(Tensor::<1, Int>::arange_step(
                3..(3 + 2 * m) as i64,
                2,
                &a.device(),
            ))
        }),
        ("arange down", BOTH, |mut a| {
            let [_, m, _] = a.x().dims();
            f((Tensor::<1, Int>::arange(0..m as i64, &a.device()).neg() + m as i64).float())
        }),
        ("zeros ones full", BOTH, |mut a| {
            let [n, m, _] = a.x().dims();
            let d = a.device();
            f(Tensor::<2>::zeros([n, m], &d)
                + Tensor::<2>::ones([n, m], &d) * 2.0
                + Tensor::<2>::full([n, m], 0.5, &d))
        }),
        ("full of a size", BOTH, |mut a| {
            let [n, m, _] = a.x().dims();
            f(a.x() + Tensor::<3>::full([n, 1, 4], m as f32, &a.device()))
        }),
        ("scalar of a size", BOTH, |mut a| {
            let [_, m, _] = a.x().dims();
            f(a.x() / m as f64 + a.x() * (1.0 / m as f64))
        }),
        ("data", BOTH, |mut a| {
            f(a.x() + Tensor::<1>::from_floats([1.0, 2.0, 3.0, 4.0], &a.device()).unsqueeze())
        }),
        ("data by size", BOTH, |mut a| {
            let [_, m, _] = a.x().dims();
            let values: Vec<f32> = (0..m).map(|i| i as f32 * 0.25).collect();
            let t = Tensor::<1>::from_data(TensorData::new(values, [m]), &a.device());
            f(a.x() * t.reshape([1, m, 1]))
        }),
        ("positions table by size", BOTH, |mut a| {
            let [n, m, _] = a.x().dims();
            let values: Vec<i64> = (0..n * m).map(|i| (i % m) as i64).collect();
            i(Tensor::<2, Int>::from_data(
                TensorData::new(values, [n, m]),
                &a.device(),
            ))
        }),
        ("triangle as a choice", BOTH, |mut a| {
            let [_, m, _] = a.x().dims();
            let t = Tensor::<2, Bool>::tril_mask([m, m], 0, &a.device());
            let x = a.x().matmul(a.y().transpose());
            f(softmax(x.mask_fill(t.unsqueeze(), -1e9), 2))
        }),
        ("triangle", BOTH, |mut a| {
            let [_, m, _] = a.x().dims();
            b(Tensor::<2, Bool>::tril_mask([m, m], 0, &a.device()))
        }),
    ]);
}

#[test]
fn images() {
    fn kernel(a: &A, shape: [usize; 4]) -> Tensor<4> {
        Tensor::from_data(floats(&shape, 77), &a.device())
    }
    check(&[
        ("conv2d", BOTH, |mut a| {
            let w = kernel(&a, [5, 3, 3, 3]);
            f(conv2d(
                a.image(),
                w,
                None,
                ConvOptions::new([2, 1], [1, 1], [1, 1], 1),
            ))
        }),
        ("patches", BOTH, |mut a| {
            let w = kernel(&a, [5, 3, 4, 5]);
            f(conv2d(
                a.image(),
                w,
                None,
                ConvOptions::new([4, 5], [0, 0], [1, 1], 1),
            )
            .flatten::<3>(2, 3)
            .swap_dims(1, 2))
        }),
        ("depthwise", BOTH, |mut a| {
            let w = kernel(&a, [3, 1, 3, 3]);
            f(conv2d(
                a.image(),
                w,
                None,
                ConvOptions::new([1, 1], [1, 1], [1, 1], 3),
            ))
        }),
        ("uneven padding", BOTH, |mut a| {
            let w = kernel(&a, [2, 3, 2, 2]);
            f(conv2d(
                a.image(),
                w,
                None,
                ConvOptions::new_with_padding([1, 1], [(0, 1), (0, 1)], [1, 1], 1),
            ))
        }),
        ("transposed", BOTH, |mut a| {
            let w = kernel(&a, [3, 2, 3, 3]);
            f(conv_transpose2d(
                a.image(),
                w,
                None,
                ConvTransposeOptions::new([2, 2], [1, 1], [1, 1], [1, 1], 1),
            ))
        }),
        ("conv1d", BOTH, |mut a| {
            let w = Tensor::<3>::from_data(floats(&[5, 4, 3], 78), &a.device());
            f(conv1d(
                a.x().swap_dims(1, 2),
                w,
                None,
                ConvOptions::new([1], [1], [1], 1),
            ))
        }),
        ("max pool", BOTH, |mut a| {
            f(max_pool2d(
                a.image(),
                MaxPoolOptions::new([3, 2])
                    .with_stride([2, 2])
                    .with_padding([1, 0]),
            ))
        }),
        ("average pool", BOTH, |mut a| {
            f(avg_pool2d(
                a.image(),
                AvgPoolOptions {
                    count_include_pad: false,
                    ..AvgPoolOptions::new([3, 3])
                        .with_stride([2, 2])
                        .with_padding([1, 1])
                },
            ))
        }),
        ("average pool with padding", BOTH, |mut a| {
            f(avg_pool2d(
                a.image(),
                AvgPoolOptions {
                    count_include_pad: true,
                    ..AvgPoolOptions::new([3, 3])
                        .with_stride([2, 2])
                        .with_padding([1, 1])
                },
            ))
        }),
        ("global pool", BOTH, |mut a| {
            f(adaptive_avg_pool2d(a.image(), [1, 1]))
        }),
        ("adaptive pool", BOTH, |mut a| {
            f(adaptive_avg_pool2d(a.image(), [3, 5]))
        }),
    ]);
}
