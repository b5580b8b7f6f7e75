//! A case: a name, the runtimes that take it, and what is made of the inputs that all cases share.

use std::collections::BTreeMap;

use burn::module::{Module, Param};
use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use fluxo_onnx::{Args, Dim, Input, Outputs, Spec};

use crate::common::*;

#[derive(Module, Debug)]
pub struct Weights {
    // [6, 4]
    pub matrix: Param<Tensor<2>>,
    // [4]
    pub vector: Param<Tensor<1>>,
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

/// The inputs and the weights that a case reads.
pub struct A<'a, 'b>(&'a mut Args<'b>, pub &'a Weights);

impl A<'_, '_> {
    pub fn x(&mut self) -> Tensor<3> {
        self.0.float("x")
    }
    pub fn y(&mut self) -> Tensor<3> {
        self.0.float("y")
    }
    pub fn n(&mut self) -> Tensor<3, Int> {
        self.0.int("n")
    }
    pub fn s(&mut self) -> Tensor<3, Int> {
        self.0.int("s")
    }
    pub fn b(&mut self) -> Tensor<3, Bool> {
        self.0.bool("b")
    }
    pub fn image(&mut self) -> Tensor<4> {
        self.0.float("image")
    }
    pub fn device(&self) -> Device {
        self.0.device()
    }
}

/// A case's one output, of floats; [`i`] of whole numbers, [`b`] of truth values.
pub fn f<const D: usize>(tensor: Tensor<D>) -> Outputs {
    Outputs::new().float("out", tensor)
}

pub fn i<const D: usize>(tensor: Tensor<D, Int>) -> Outputs {
    Outputs::new().int("out", tensor)
}

pub fn b<const D: usize>(tensor: Tensor<D, Bool>) -> Outputs {
    Outputs::new().bool("out", tensor)
}

type Case = (&'static str, &'static [Runtime], fn(A) -> Outputs);

pub const BOTH: &[Runtime] = &ALL;

/// Every case of `table` agrees with Burn on every runtime that it names; tells all that do not.
pub fn check(table: &[Case]) {
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
