//! Loops over a length that is open: the file has one step, the recordings have many.
#![allow(clippy::unwrap_used)]

mod common;
mod judge;

use std::collections::BTreeMap;

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{DType, Device, Tensor, TensorData, activation::sigmoid, s};
use common::{Runtime, agree_with, floats, inputs};
use fluxo_onnx::{
    Args, Dim, Error, Input, OnnxModel, Options, Outputs, Spec, Target, evaluate, export,
};
use judge::Judge;

const WIDTH: usize = 3;

/// A cell that a user may write: two layers, whose sum goes through a logistic function. With a
/// tangent it would be an operator, see `recurrent_operators.rs`.
#[derive(Module, Debug)]
struct Cell {
    input: Linear,
    hidden: Linear,
}

impl Cell {
    fn new() -> Self {
        let device = Device::flex();
        let linear = || LinearConfig::new(WIDTH, WIDTH).init(&device);
        Self {
            input: linear(),
            hidden: linear(),
        }
    }

    fn step(&self, x: Tensor<2>, h: Tensor<2>) -> Tensor<2> {
        sigmoid(self.input.forward(x) + self.hidden.forward(h))
    }
}

/// The elements of a sequence, `[batch, width]` each.
fn elements(x: &Tensor<3>) -> Vec<Tensor<2>> {
    let each = x.clone().iter_dim(1);
    each.map(|x| x.squeeze_dim(1)).collect()
}

fn zeros(x: &Tensor<3>) -> Tensor<2> {
    Tensor::zeros([x.dims()[0], WIDTH], (&x.device(), x.dtype()))
}

fn spec() -> Spec {
    let dims: [Dim; 3] = ["batch".into(), "sequence".into(), WIDTH.into()];
    Spec::new("cell").input(Input::float("x", dims))
}

/// Lengths that no trace had: one, two, odd, long.
fn cases() -> [BTreeMap<String, TensorData>; 5] {
    let sizes = [(2, 1), (1, 2), (3, 3), (2, 9), (1, 33)];
    sizes.map(|(batch, length)| inputs([("x", floats(&[batch, length, WIDTH], 5))]))
}

/// Burn, the checker, ONNX Runtime, tract and, by its own target, rten. Gives the file for any.
fn check(name: &str, forward: impl Fn(&Cell, Tensor<3>) -> Outputs) -> OnnxModel {
    let cell = Cell::new();
    let run = |cell: &Cell, args: &mut Args| forward(cell, args.float("x"));
    let [any, rten] =
        [(Target::Any, Runtime::Tract), (Target::Rten, Runtime::Rten)].map(|(target, runtime)| {
            let options = Options::for_target(target);
            agree_with(
                &options,
                name,
                &cell,
                &spec(),
                &[runtime],
                1e-5,
                run,
                &cases(),
            )
            .unwrap()
        });
    // Whether rten reads the file for any is known before.
    let read = Runtime::Rten.run(&any.to_bytes().unwrap(), &any, &cases()[3]);
    assert_eq!(any.unread_by().is_empty(), read.is_ok(), "{name}: {read:?}");
    assert_eq!(rten.unread_by(), []);
    if let Some(mut judge) = Judge::start() {
        let sets = cases().map(|inputs| {
            let outputs = evaluate(&cell, &Device::flex(), &inputs, run).unwrap();
            (inputs, outputs.into_iter().collect())
        });
        for model in [&any, &rten] {
            let ruling = judge.rule(&model.to_bytes().unwrap(), &sets);
            assert_eq!(ruling.checker, None, "{name}");
            for run in ruling.runs {
                assert!(run.as_ref().is_ok_and(|gap| *gap < 1e-5), "{name}: {run:?}");
            }
        }
    }
    any
}

fn loops(model: &OnnxModel) -> usize {
    let operators = model.operators();
    ["Scan", "Loop"]
        .iter()
        .filter_map(|op| operators.get(op))
        .sum()
}

#[test]
fn steps_are_joined_filled_and_passed_on() {
    let joined = |x: Tensor<3>, step: &dyn Fn(Tensor<2>) -> Tensor<2>| {
        let steps: Vec<Tensor<3>> = elements(&x)
            .into_iter()
            .map(|x| step(x).unsqueeze_dim(1))
            .collect();
        Tensor::cat(steps, 1)
    };
    let model = check("joined", |cell, x| {
        let mut h = zeros(&x);
        let steps = elements(&x).into_iter().map(|x| {
            h = cell.step(x, h.clone());
            h.clone().unsqueeze_dim::<3>(1)
        });
        let steps = Tensor::cat(steps.collect(), 1);
        Outputs::new().float("steps", steps).float("last", h)
    });
    assert_eq!(loops(&model), 1);
    check("stacked behind the loop", |cell, x| {
        let mut h = zeros(&x);
        let steps = elements(&x).into_iter().map(|x| {
            h = cell.step(x, h.clone());
            h.clone()
        });
        let steps: Vec<Tensor<2>> = steps.collect();
        Outputs::new().float("steps", Tensor::stack::<3>(steps, 1))
    });
    check("filled", |cell, x| {
        let mut h = zeros(&x);
        let mut steps = x.zeros_like();
        for (index, x) in elements(&x).into_iter().enumerate() {
            h = cell.step(x, h);
            steps = steps.slice_assign(s![.., index, ..], h.clone().unsqueeze_dim(1));
        }
        Outputs::new().float("steps", steps)
    });
    check("without a state", |cell, x| {
        Outputs::new().float("steps", joined(x, &|x| cell.input.forward(x).exp()))
    });
}

#[test]
fn loops_go_both_ways_one_after_the_other_and_through_two_layers() {
    let model = check("both ways", |cell, x| {
        let there = elements(&x).into_iter();
        let there = there.fold(zeros(&x), |h, x| cell.step(x, h));
        let back = elements(&x).into_iter().rev();
        let back = back.fold(zeros(&x), |h, x| cell.step(x, h));
        Outputs::new().float("there", there).float("back", back)
    });
    assert_eq!(loops(&model), 2);
    check("a loop over what a loop made", |cell, x| {
        let mut h = zeros(&x);
        let steps = elements(&x).into_iter().map(|x| {
            h = cell.step(x, h.clone());
            h.clone().unsqueeze_dim::<3>(1)
        });
        let steps: Tensor<3> = Tensor::cat(steps.collect(), 1);
        let last = elements(&steps).into_iter();
        let last = last.fold(zeros(&steps), |h, x| cell.step(x, h).neg());
        Outputs::new().float("last", last)
    });
    let model = check("two layers in one step", |cell, x| {
        let start = (zeros(&x), zeros(&x));
        let (a, b) = elements(&x).into_iter().fold(start, |(a, b), x| {
            let a = cell.step(x, a);
            (a.clone(), cell.step(a, b))
        });
        Outputs::new().float("a", a).float("b", b)
    });
    assert_eq!(loops(&model), 1);
}

#[test]
fn a_step_may_use_its_number() {
    check("a part of the sequence so far", |cell, x| {
        let length = x.dims()[1];
        let mut h = zeros(&x);
        for index in 0..length {
            // Between the first and the last element, which no walk along one axis gives.
            let first = x.clone().slice(s![.., index, 0..2]).squeeze_dim::<2>(1);
            let more = first.clone().slice(s![.., 0..1]);
            h = cell.step(Tensor::cat(vec![first, more], 1), h);
        }
        Outputs::new().float("h", h)
    });
}

/// Each element with the one before it.
fn differences(cell: &Cell, x: Tensor<3>) -> Outputs {
    let mut h = zeros(&x);
    for index in 1..x.dims()[1] {
        let before = x.clone().slice(s![.., index - 1, ..]).squeeze_dim(1);
        let here = x.clone().slice(s![.., index, ..]).squeeze_dim::<2>(1);
        h = cell.step(before, h) + here;
    }
    Outputs::new().float("h", h)
}

#[test]
fn a_loop_has_a_step_or_is_refused() {
    let run = |cell: &Cell, args: &mut Args| differences(cell, args.float("x"));
    let cell = Cell::new();
    let error = export(&cell, &spec(), &Options::default(), run).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("sequence - 1") && text.contains("minimum"),
        "{text}"
    );
    let long = spec().size_min("sequence", 2);
    let cases = &cases()[1..];
    for (target, runtime) in [(Target::Any, Runtime::Tract), (Target::Rten, Runtime::Rten)] {
        let options = Options::for_target(target);
        agree_with(&options, "long", &cell, &long, &[runtime], 1e-5, run, cases).unwrap();
    }
}

#[test]
fn a_repeated_layer_stays_what_it_is() {
    // As often at every size: no loop.
    let model = check("three times", |cell, x| {
        let mut y = x;
        for _ in 0..3 {
            y = cell.input.forward(y).tanh();
        }
        Outputs::new().float("y", y)
    });
    assert_eq!(loops(&model), 0);
}

#[test]
fn what_is_no_loop_is_refused() {
    let cell = Cell::new();
    let refusal = |forward: &dyn Fn(&Cell, Tensor<3>) -> Tensor<2>| {
        let run = |cell: &Cell, args: &mut Args| {
            Outputs::new().float("h", forward(cell, args.float("x")))
        };
        export(&cell, &spec(), &Options::default(), run).unwrap_err()
    };
    // Two steps back.
    let error = refusal(&|cell, x| {
        let mut all = vec![zeros(&x), zeros(&x)];
        for (index, x) in elements(&x).into_iter().enumerate() {
            all.push(cell.step(x, all[index].clone()));
        }
        all.last().unwrap().clone()
    });
    assert!(matches!(error, Error::Diverges(_)), "{error}");
    // A step that grows.
    let error = refusal(&|_, x| {
        let mut sums = zeros(&x);
        for index in 0..x.dims()[1] {
            let so_far = x.clone().slice(s![.., 0..index + 1, ..]);
            sums = (sums + so_far.sum_dim(1).squeeze_dim(1)).tanh();
        }
        sums
    });
    assert!(matches!(error, Error::Diverges(_)), "{error}");
}

#[test]
fn loops_keep_their_types_and_sets() {
    let cell = Cell::new();
    let run = |cell: &Cell, args: &mut Args| {
        let x = args.float::<3>("x");
        let mut h = zeros(&x);
        let steps = elements(&x).into_iter().map(|x| {
            h = cell.step(x, h.clone());
            h.clone()
        });
        let steps = Tensor::stack::<3>(steps.collect(), 1);
        Outputs::new().float("steps", steps).float("last", h)
    };
    let Some(mut judge) = Judge::start() else {
        return;
    };
    for opset in 17..=24 {
        for dtype in [None, Some(DType::F16)] {
            let options = Options {
                opset,
                dtype,
                ..Options::default()
            };
            let model = export(&cell, &spec(), &options, run).unwrap();
            let sets = cases().map(|inputs| {
                let outputs = evaluate(&cell, &Device::flex(), &inputs, run).unwrap();
                (inputs, outputs.into_iter().collect())
            });
            let ruling = judge.rule(&model.to_bytes().unwrap(), &sets);
            assert_eq!(ruling.checker, None, "{opset} {dtype:?}");
            // A half has 11 bits: 33 steps of sums of eight terms, none over 1.
            let bound = if dtype.is_some() { 5e-3 } else { 1e-5 };
            for run in ruling.runs {
                assert!(
                    run.as_ref().is_ok_and(|gap| *gap < bound),
                    "{opset} {dtype:?}: {run:?}"
                );
            }
        }
    }
}
