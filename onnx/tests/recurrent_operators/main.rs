//! Loops whose step is that of an LSTM, a GRU or a plain recurrent network are that operator, and
//! whatever differs from them stays a loop.
#![allow(clippy::unwrap_used)]

mod cells;
#[path = "../common/mod.rs"]
mod common;
#[path = "../judge/mod.rs"]
mod judge;

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, Param};
use burn::nn::{
    BiGruConfig, BiLstmConfig, BiRnnConfig, GruConfig, LstmConfig, LstmState, RnnConfig,
};
use burn::tensor::{DType, Device, Tensor, TensorData};
use cells::{Cell, MUTANTS, Step, gru, lstm};
use common::{Runtime, agree_with, floats, inputs};
use fluxo_onnx::{Args, Dim, Input, OnnxModel, Options, Outputs, Spec, Target, evaluate, export};
use judge::Judge;

const WIDTH: usize = 4;
const HIDDEN: usize = 3;
/// Of the largest magnitude: 33 steps of sums of nine terms, none over 1, in 24 bits.
const BOUND: f64 = 2e-6;
const OPERATORS: [&str; 3] = ["LSTM", "GRU", "RNN"];

type Case = BTreeMap<String, TensorData>;

/// A sequence, and first states of as many axes, of which the outer ones are `ways`.
fn spec(states: &[&str], ways: Option<usize>) -> Spec {
    let dims: [Dim; 3] = ["batch".into(), "sequence".into(), WIDTH.into()];
    let spec = Spec::new("cell").input(Input::float("x", dims));
    states.iter().fold(spec, |spec, name| {
        let ways = ways.map(Dim::from);
        let dims = ways.into_iter().chain(["batch".into(), HIDDEN.into()]);
        spec.input(Input::float(*name, dims))
    })
}

/// Lengths that no trace had, of one sequence and of three.
fn cases(states: &[&str], ways: Option<usize>) -> Vec<Case> {
    let lengths = [1, 2, 3, 4, 5, 8, 17, 33];
    let sizes = lengths
        .iter()
        .flat_map(|length| [(1, *length), (3, *length)]);
    let case = |(batch, length): (usize, usize)| {
        let mut case = inputs([("x", floats(&[batch, length, WIDTH], 5))]);
        for (seed, name) in states.iter().enumerate() {
            let dims: Vec<usize> = ways.into_iter().chain([batch, HIDDEN]).collect();
            case.insert((*name).into(), floats(&dims, 7 + seed as u64));
        }
        case
    };
    sizes.map(case).collect()
}

fn count(model: &OnnxModel, names: &[&str]) -> usize {
    let operators = model.operators();
    names.iter().filter_map(|op| operators.get(op)).sum()
}

/// `module` with the same weights every time, of the size that Burn draws them in: those of a bad draw
/// may round by more than [`BOUND`].
fn fixed<M: Module>(module: M) -> M {
    struct Weights(u64);
    impl ModuleMapper for Weights {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let (id, value, mapper) = param.consume();
            self.0 += 1;
            let weights = Tensor::from_data(floats(&value.dims(), self.0), &value.device());
            // Of ±2 that ±1 / √HIDDEN.
            let weights = weights.mul_scalar(0.5 / (HIDDEN as f64).sqrt());
            Param::from_mapped_value(id, weights, mapper)
        }
    }
    module.map(&mut Weights(40))
}

/// A module, what it reads, and its forward pass.
struct Try<'a, M, F> {
    name: &'a str,
    module: M,
    states: &'a [&'a str],
    ways: Option<usize>,
    forward: F,
}

impl<M: Module, F: Fn(&M, &mut Args) -> Outputs> Try<'_, M, F> {
    /// In the runtimes of every target. `operators` and `loops` are how many the file has; `rten`
    /// says whether rten has the operators: it gets loops where it has not.
    fn is(&self, judge: &mut Judge, operators: usize, loops: usize, rten: bool) {
        for target in Target::ALL {
            let model = self.agrees(judge, target, rten && loops == 0);
            let found = [&OPERATORS[..], &["Scan", "Loop"]].map(|names| count(&model, names));
            let wanted = if target == Target::Rten && !rten {
                [0, operators + loops]
            } else {
                [operators, loops]
            };
            assert_eq!(found, wanted, "{} {target}", self.name);
        }
    }

    fn agrees(&self, judge: &mut Judge, target: Target, rten: bool) -> OnnxModel {
        let (name, module, forward) = (self.name, &self.module, &self.forward);
        let runtimes: &[Runtime] = match target {
            Target::Any if rten => &[Runtime::Tract, Runtime::Rten],
            Target::Any | Target::Tract => &[Runtime::Tract],
            Target::Rten => &[Runtime::Rten],
            Target::Ort | Target::Web => &[],
        };
        let spec = spec(self.states, self.ways);
        let cases = cases(self.states, self.ways);
        let options = Options::for_target(target);
        let model = agree_with(
            &options, name, module, &spec, runtimes, BOUND, forward, &cases,
        );
        let model = model.unwrap();
        let sets: Vec<_> = cases
            .iter()
            .map(|case| {
                let outputs = evaluate(module, &Device::flex(), case, forward).unwrap();
                (case.clone(), outputs.into_iter().collect())
            })
            .collect();
        let ruling = judge.rule(&model.to_bytes().unwrap(), &sets);
        assert_eq!(ruling.checker, None, "{name} {target}");
        for run in ruling.runs {
            assert!(
                run.as_ref().is_ok_and(|gap| *gap < BOUND),
                "{name} {target}: {run:?}"
            );
        }
        model
    }
}

fn states<const D: usize>(args: &mut Args) -> LstmState<D> {
    LstmState::new(args.float("c"), args.float("h"))
}

#[test]
fn recurrent_modules_of_burn_are_operators() {
    let Some(judge) = &mut Judge::start() else {
        return;
    };
    let device = &Device::flex();
    for (bias, reverse) in [(true, false), (false, true)] {
        let lstm = LstmConfig::new(WIDTH, HIDDEN, bias).with_reverse(reverse);
        let module = lstm.with_batch_first(bias).init(device);
        let forward = move |m: &burn::nn::Lstm, args: &mut Args| {
            let x = args.float("x");
            let x = if bias { x } else { x.swap_dims(0, 1) };
            let (y, last) = m.forward(x, (!bias).then(|| states(args)));
            Outputs::new()
                .float("y", y)
                .float("last", last.hidden)
                .float("cell", last.cell)
        };
        let states: &[&str] = if bias { &[] } else { &["c", "h"] };
        Try {
            name: "Lstm",
            module: fixed(module),
            states,
            ways: None,
            forward,
        }
        .is(judge, 1, 0, true);
    }
    let forward = |m: &burn::nn::BiLstm, args: &mut Args| {
        let (x, first) = (args.float("x"), states(args));
        let (y, last) = m.forward(x, Some(first));
        Outputs::new()
            .float("y", y)
            .float("last", last.hidden)
            .float("cell", last.cell)
    };
    let module = BiLstmConfig::new(WIDTH, HIDDEN, true).init(device);
    let states = &["c", "h"];
    Try {
        name: "BiLstm",
        module: fixed(module),
        states,
        ways: Some(2),
        forward,
    }
    .is(judge, 2, 0, true);
    for after in [true, false] {
        let gru = GruConfig::new(WIDTH, HIDDEN, true).with_reset_after(after);
        let module = gru.init(device);
        let forward = |m: &burn::nn::Gru, args: &mut Args| {
            let (x, first) = (args.float("x"), args.float("h"));
            Outputs::new().float("y", m.forward(x, Some(first)))
        };
        let states = &["h"];
        Try {
            name: "Gru",
            module: fixed(module),
            states,
            ways: None,
            forward,
        }
        .is(judge, 1, 0, after);
        let module = BiGruConfig::new(WIDTH, HIDDEN, false)
            .with_reset_after(after)
            .init(device);
        let forward = |m: &burn::nn::BiGru, args: &mut Args| {
            let (y, last) = m.forward(args.float("x"), None);
            Outputs::new().float("y", y).float("last", last)
        };
        Try {
            name: "BiGru",
            module: fixed(module),
            states: &[],
            ways: None,
            forward,
        }
        .is(judge, 2, 0, after);
    }
    let forward = |m: &burn::nn::Rnn, args: &mut Args| {
        let (y, last) = m.forward(args.float("x"), None);
        Outputs::new().float("y", y).float("last", last.hidden)
    };
    let module = RnnConfig::new(WIDTH, HIDDEN, true).init(device);
    Try {
        name: "Rnn",
        module: fixed(module),
        states: &[],
        ways: None,
        forward,
    }
    .is(judge, 1, 0, false);
    let forward = |m: &burn::nn::BiRnn, args: &mut Args| {
        Outputs::new().float("y", m.forward(args.float("x"), None).0)
    };
    let module = BiRnnConfig::new(WIDTH, HIDDEN, true).init(device);
    Try {
        name: "BiRnn",
        module: fixed(module),
        states: &[],
        ways: None,
        forward,
    }
    .is(judge, 2, 0, false);
}

fn along(step: Step) -> impl Fn(&Cell, &mut Args) -> Outputs {
    move |cell, args| {
        let x = args.float::<3>("x");
        let zeros = Tensor::<2>::zeros([x.dims()[0], HIDDEN], (&x.device(), x.dtype()));
        let mut pair = (zeros.clone(), zeros);
        let mut steps = Vec::new();
        for x in x.iter_dim(1) {
            let (next, given) = step(cell, x.squeeze_dim(1), pair);
            pair = next;
            steps.push(given);
        }
        let steps = Tensor::stack::<3>(steps, 1);
        Outputs::new().float("y", steps).float("last", pair.0)
    }
}

#[test]
fn a_layer_that_is_used_twice_is_stored_once_and_axes_are_exchanged_at_the_ends() {
    let Some(judge) = &mut Judge::start() else {
        return;
    };
    let module = LstmConfig::new(WIDTH, WIDTH, true).init(&Device::flex());
    let forward = |m: &burn::nn::Lstm, args: &mut Args| {
        let (y, _) = m.forward(args.float("x"), None);
        Outputs::new().float("y", m.forward(y, None).0)
    };
    let twice = Try {
        name: "twice",
        module: fixed(module),
        states: &[],
        ways: None,
        forward,
    };
    twice.is(judge, 2, 0, true);
    let model = twice.agrees(judge, Target::Any, true);
    assert_eq!(count(&model, &["Transpose"]), 2);
    let weights = model.initializers();
    let matrices = weights.iter().filter(|weight| weight.dims.len() == 3);
    assert_eq!(matrices.count(), 2);
}

#[test]
fn what_differs_from_a_cell_stays_a_loop() {
    let Some(judge) = &mut Judge::start() else {
        return;
    };
    let own = |name, step| Try {
        name,
        module: Cell::new(),
        states: &[],
        ways: None,
        forward: along(step),
    };
    own("as a user may write it", lstm as Step).is(judge, 1, 0, true);
    own("as a user may write it", gru as Step).is(judge, 1, 0, true);
    for (name, step) in MUTANTS {
        own(name, step).is(judge, 0, 1, false);
    }
}

#[test]
fn operators_keep_their_types_and_sets() {
    let Some(mut judge) = Judge::start() else {
        return;
    };
    let (cell, cases) = (Cell::new(), cases(&[], None));
    for (step, opset) in [lstm as Step, gru]
        .into_iter()
        .flat_map(|s| (17..=24).map(move |o| (s, o)))
    {
        let forward = along(step);
        let options = |dtype| Options {
            opset,
            dtype,
            ..Options::default()
        };
        // ONNX Runtime has none of 64 bits.
        let double = options(Some(DType::F64));
        let double = export(&cell, &spec(&[], None), &double, &forward).unwrap();
        assert_eq!(count(&double, &["Scan"]), 1);
        for dtype in [None, Some(DType::F16), Some(DType::BF16)] {
            let options = options(dtype);
            let model = export(&cell, &spec(&[], None), &options, &forward).unwrap();
            assert_eq!(count(&model, &OPERATORS), 1, "{opset} {dtype:?}");
            let sets: Vec<_> = cases
                .iter()
                .map(|case| {
                    let outputs = evaluate(&cell, &Device::flex(), case, &forward).unwrap();
                    (case.clone(), outputs.into_iter().collect())
                })
                .collect();
            let ruling = judge.rule(&model.to_bytes().unwrap(), &sets);
            assert_eq!(ruling.checker, None, "{opset} {dtype:?}");
            // Weights of 11 bits and of 8, in sums of eight terms, 33 times.
            let bound = match dtype {
                Some(DType::F16) => 5e-3,
                Some(DType::BF16) => 4e-2,
                _ => BOUND,
            };
            for run in ruling.runs {
                let right = run.as_ref().is_ok_and(|gap| *gap < bound);
                assert!(right, "{opset} {dtype:?}: {run:?}");
            }
            // Neither of the others reads bfloat16.
            let all: &[Runtime] = match dtype {
                Some(DType::BF16) => &[],
                _ => &common::ALL,
            };
            let spec = spec(&[], None);
            agree_with(
                &options, "types", &cell, &spec, all, bound, &forward, &cases,
            )
            .unwrap();
        }
    }
}
