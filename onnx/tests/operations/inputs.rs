//! What the cases compute with.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use burn::module::{Module, Param};
use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use fluxo_onnx::{Args, Dim, Input, Outputs, Spec};

use crate::common::{flags, floats, ints};

/// A module without a use of its own: cases make their weights as constants.
#[derive(Module, Debug)]
pub struct Nothing {
    weight: Param<Tensor<1>>,
}

impl Nothing {
    pub fn new() -> Self {
        let data = floats(&[1], 1);
        let weight = Param::from_tensor(Tensor::from_data(data, &Device::flex()));
        Self { weight }
    }
}

/// Every input that a case may ask for: its name, kind and dimensions.
fn all() -> Vec<Input> {
    let rows = || -> [Dim; 3] { ["batch".into(), "seq".into(), 4.into()] };
    let heads = || -> [Dim; 4] { ["batch".into(), 2.into(), "seq".into(), 2.into()] };
    let dims = |text: &str| -> Vec<Dim> { text.split(' ').map(Dim::from).collect() };
    vec![
        Input::float("x", rows()),
        Input::float("y", rows()),
        Input::int("n", rows()),
        Input::int("s", rows()),
        Input::bool("b", rows()),
        Input::float("q", heads()),
        Input::float("k", heads()),
        Input::float("v", heads()),
        Input::float("signal", dims("batch 4 width")),
        Input::float("image", dims("batch 4 height width")),
        Input::float("volume", dims("batch 2 4 height width")),
        Input::float("points", dims("batch seq 3")),
        Input::float("others", dims("batch seq 3")),
        Input::float("left", dims("batch seq 2")),
        Input::float("row", dims("batch 1 4")),
        Input::float("across", dims("batch 4 seq")),
        Input::int("places", rows()),
        Input::int("down", dims("batch 4 seq")),
        Input::int("ids", dims("batch seq")),
        Input::bool("c", rows()),
        Input::float("positive", rows()),
        Input::float("narrow", rows()),
        Input::float("above", rows()),
        Input::float("offset", dims("batch 18 height width")),
        Input::float("grid", dims("batch seq 5 2")),
    ]
}

/// Data for every input; no two sets have a size in common, and no trace has one of them.
pub fn sets() -> Vec<BTreeMap<String, TensorData>> {
    [[1, 1, 8, 6], [3, 2, 9, 14], [2, 9, 6, 15]]
        .into_iter()
        .map(|[batch, seq, height, width]| {
            let rows = [batch, seq, 4];
            let heads = [batch, 2, seq, 2];
            BTreeMap::from(
                [
                    ("x", floats(&rows, 1)),
                    ("y", floats(&rows, 2)),
                    ("n", ints(&rows, 0, 6, 3)),
                    ("s", ints(&rows, -9, 10, 4)),
                    ("b", flags(&rows, 5)),
                    ("q", floats(&heads, 6)),
                    ("k", floats(&heads, 7)),
                    ("v", floats(&heads, 8)),
                    ("signal", floats(&[batch, 4, width], 9)),
                    ("image", floats(&[batch, 4, height, width], 10)),
                    ("volume", floats(&[batch, 2, 4, height, width], 11)),
                    ("points", floats(&[batch, seq, 3], 12)),
                    ("others", floats(&[batch, seq, 3], 14)),
                    ("left", floats(&[batch, seq, 2], 19)),
                    ("row", floats(&[batch, 1, 4], 20)),
                    ("across", floats(&[batch, 4, seq], 21)),
                    ("places", ints(&rows, 0, 4, 22)),
                    ("down", ints(&[batch, 4, seq], -9, 10, 23)),
                    ("ids", ints(&[batch, seq], 0, 6, 24)),
                    ("c", flags(&rows, 25)),
                    ("positive", within(&rows, 15, |x| x.abs() + 0.1)),
                    ("narrow", within(&rows, 16, |x| x * 0.4)),
                    ("above", within(&rows, 17, |x| x.abs() + 1.1)),
                    ("offset", floats(&[batch, 18, height, width], 18)),
                    ("grid", floats(&[batch, seq, 5, 2], 13)),
                ]
                .map(|(name, data)| (name.to_string(), data)),
            )
        })
        .collect()
}

/// Floats of another range.
fn within(shape: &[usize], seed: u64, map: fn(f32) -> f32) -> TensorData {
    let values = floats(shape, seed).iter::<f32>().map(map).collect();
    TensorData::new(values, shape.to_vec())
}

/// The description of a graph with these inputs.
pub fn spec(used: &BTreeSet<String>) -> Spec {
    let inputs = all().into_iter().filter(|input| used.contains(&input.name));
    inputs.fold(Spec::new("case"), |spec, input| {
        let spec = spec.input(input.clone());
        match input.name.as_str() {
            // Some cases cut 6 by 4 out of it.
            "image" => spec.size_min("height", 6).size_min("width", 4),
            _ => spec,
        }
    })
}

/// The inputs of a case, which notes those that it takes.
pub struct A<'a, 'b> {
    pub args: &'a mut Args<'b>,
    pub used: &'a RefCell<BTreeSet<String>>,
}

impl A<'_, '_> {
    /// A float input by name.
    pub fn float<const D: usize>(&mut self, name: &str) -> Tensor<D> {
        self.used.borrow_mut().insert(name.to_string());
        self.args.float(name)
    }

    /// An integer input by name.
    pub fn int<const D: usize>(&mut self, name: &str) -> Tensor<D, Int> {
        self.used.borrow_mut().insert(name.to_string());
        self.args.int(name)
    }

    pub fn x(&mut self) -> Tensor<3> {
        self.float("x")
    }

    pub fn y(&mut self) -> Tensor<3> {
        self.float("y")
    }

    /// Integers of 0..6.
    pub fn n(&mut self) -> Tensor<3, Int> {
        self.int("n")
    }

    /// Integers of -9..10.
    pub fn s(&mut self) -> Tensor<3, Int> {
        self.int("s")
    }

    fn bool(&mut self, name: &str) -> Tensor<3, Bool> {
        self.used.borrow_mut().insert(name.to_string());
        self.args.bool(name)
    }

    pub fn b(&mut self) -> Tensor<3, Bool> {
        self.bool("b")
    }

    pub fn c(&mut self) -> Tensor<3, Bool> {
        self.bool("c")
    }

    /// Integers of 0..4.
    pub fn places(&mut self) -> Tensor<3, Int> {
        self.int("places")
    }

    /// Floats of 0.1..2.1.
    pub fn positive(&mut self) -> Tensor<3> {
        self.float("positive")
    }

    /// Floats of -0.8..0.8.
    pub fn narrow(&mut self) -> Tensor<3> {
        self.float("narrow")
    }

    pub fn image(&mut self) -> Tensor<4> {
        self.float("image")
    }

    pub fn signal(&mut self) -> Tensor<3> {
        self.float("signal")
    }

    /// A stored constant of this shape.
    pub fn data<const D: usize>(&self, shape: [usize; D]) -> Tensor<D> {
        Tensor::from_data(floats(&shape, 77), &self.args.device())
    }

    /// Stored integers.
    pub fn ints<const N: usize>(&self, values: [i64; N]) -> Tensor<1, Int> {
        Tensor::from_data(TensorData::from(values), &self.args.device())
    }

    /// Stored rows of integers.
    pub fn stored<const N: usize, const M: usize>(&self, rows: [[i64; M]; N]) -> Tensor<2, Int> {
        Tensor::from_data(TensorData::from(rows), &self.args.device())
    }

    pub fn device(&self) -> Device {
        self.args.device()
    }
}

pub fn f<const D: usize>(tensor: Tensor<D>) -> Outputs {
    Outputs::new().float("out", tensor)
}

pub fn i<const D: usize>(tensor: Tensor<D, Int>) -> Outputs {
    Outputs::new().int("out", tensor)
}

pub fn b<const D: usize>(tensor: Tensor<D, Bool>) -> Outputs {
    Outputs::new().bool("out", tensor)
}

/// Values and places.
pub fn fi<const D: usize>((values, places): (Tensor<D>, Tensor<D, Int>)) -> Outputs {
    Outputs::new().float("values", values).int("places", places)
}

/// The operation that a case is about, and its computation.
pub type Case = (&'static str, fn(A) -> Outputs);
