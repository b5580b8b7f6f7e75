//! Faults that were put in on purpose are found in the part that they were put into.
#![allow(clippy::unwrap_used)]

mod faults;
mod files;
mod foreign;
mod massive;
mod zoo;

use std::path::{Path, PathBuf};

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{DType, Tensor, TensorData};
use fluxo_compare::locate::{BackendSuspect, Location, Locator, ProbeRequest, Suspect};
use fluxo_compare::report::Severity;
use fluxo_compare::runner::backend::Burn;
use fluxo_compare::runner::{Label, Runner};
use fluxo_compare::{
    ExportOptions, OnnxModelFiles, Report, Result, compare_refereed, export, inputs::samples, open,
    referee,
};
use fluxo_models::blocks::activation::Activation;
use fluxo_models::blocks::block::Block;
use fluxo_models::blocks::rotary::RotaryLayout;
use fluxo_models::stack::{Stack, StackConfig};
use fluxo_models::{Model, ModuleIo, NetworkConfig, NewModelOptions, OutputOptions, Tensors};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Gives every weight a value that matters: fresh biases are 0 and fresh gains are 1.
struct Lively(StdRng);

impl ModuleMapper for Lively {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, value, mapper) = param.consume();
        let device = value.device();
        let data = value.into_data();
        let shape = data.shape().clone();
        let moved = |value: f32| value * 3.0 + self.0.random_range(-0.1..0.1);
        let values: Vec<f32> = data.iter::<f32>().map(moved).collect();
        let value = Tensor::from_data(TensorData::new(values, shape), &device);
        Param::from_mapped_value(id, value, mapper)
    }
}

fn model(family: &str, set: &[(&str, &str)], seed: u64) -> Model {
    let device = fluxo_backends::device("flex").unwrap();
    let set = set.iter().map(|(k, v)| (k.to_string(), v.to_string()));
    let settings = NewModelOptions {
        set: set.collect(),
        ..NewModelOptions::default()
    };
    let mut model = Model::new(family, &settings, seed, &device).unwrap();
    let mut lively = Lively(StdRng::seed_from_u64(seed));
    model.network = model.network.map(&mut lively);
    model
}

fn at(good: &Model, mut suspect: Box<dyn Suspect>) -> Location {
    let inputs = samples::inputs(good.config(), 2, 9);
    let mut locator = Locator::new(good, &inputs).unwrap().unwrap();
    locator.look(&mut *suspect).unwrap()
}

/// Where `bad` parts from `good`, both on flex. The report of both says so too.
#[track_caller]
fn between(good: &Model, bad: &Model) -> Location {
    let location = at(
        good,
        Box::new(BackendSuspect::new("bad", bad, "flex").unwrap()),
    );
    let runner = |name: &str, model: &Model| -> Box<dyn Runner> {
        Box::new(Burn::new(name, model, "flex", OutputOptions::default()).unwrap())
    };
    let runners = vec![runner("good", good), runner("bad", bad)];
    let report = judged(good, runners, vec![location.clone()]);
    let right = report.assessments.iter().find(|s| s.runner == "good");
    assert!(right.unwrap().finding < Severity::Drift, "{report}");
    location
}

/// What `fluxo compare --locate` reports of `runners` that part at `locations`: they differ, and
/// each is a bug or drifts. It then exits with 1.
#[track_caller]
fn judged(good: &Model, mut runners: Vec<Box<dyn Runner>>, locations: Vec<Location>) -> Report {
    let cases = [("here".to_string(), samples::inputs(good.config(), 2, 9))];
    let references = referee::reference_outputs(good, OutputOptions::default(), &cases);
    let references = references.unwrap().unwrap();
    let mut report = compare_refereed(&mut runners, &cases, &references).unwrap();
    report.place(locations.clone());
    assert!(!report.agrees() && report.located.is_some(), "{report}");
    for location in locations {
        let mut assessments = report.assessments.iter();
        let own = assessments.find(|s| s.runner == location.runner).unwrap();
        assert!(own.finding >= Severity::Drift, "{report}");
    }
    report
}

/// Asserts that the fault is found in `path`, and that the part is beyond its noise.
#[track_caller]
fn found(location: &Location, path: &str) {
    assert_eq!(location.path.as_deref(), Some(path), "{location:#?}");
    let at_fault = location.at_fault().unwrap();
    assert!(at_fault.noise_ratio() > 16.0, "{at_fault:?}");
    // Rounding in float32 is no more, wherever it is measured.
    let noisy = location.parts.iter().find(|part| part.noise > 1e-4);
    assert_eq!(noisy, None);
}

fn stack(model: &mut Model) -> &mut Stack {
    let network = &mut model.network;
    let stacks = [
        &mut network.decoder,
        &mut network.encoder,
        &mut network.vision,
    ];
    stacks.into_iter().flatten().next().unwrap()
}

/// `model` with `change` made to its block `layer`.
fn changed(model: &Model, layer: usize, change: impl FnOnce(&mut Block)) -> Model {
    let mut model = model.clone();
    change(&mut stack(&mut model).layers[layer]);
    model
}

/// `model` with the same weights in a network that is configured otherwise.
fn configured(model: &Model, change: impl FnOnce(&mut NetworkConfig)) -> Model {
    let mut model = model.clone();
    let mut config = model.config().clone();
    change(&mut config);
    let record = model.network.clone().into_record();
    model.network = config.init(&model.device()).load_record(record);
    model
}

/// `model` with the key heads of one layer each in the place of the one before it.
fn head_off(model: &Model) -> Model {
    let head = model.config().head_dim();
    let columns = head * model.config().kv_heads();
    assert!(model.config().kv_heads() > 1);
    changed(model, 1, |block| {
        let key = &mut block.attention.key;
        key.weight = with(&key.weight, |values| {
            values
                .chunks_mut(columns)
                .for_each(|row| row.rotate_left(head));
        });
    })
}

/// `model` with the weights of one layer rounded to float16.
fn half(model: &Model) -> Model {
    struct Rounded;
    impl ModuleMapper for Rounded {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            param.map(|value| value.cast(DType::F16).cast(DType::F32))
        }
    }
    changed(model, 1, |block| *block = block.clone().map(&mut Rounded))
}

/// `weight` of `[d_in, d_out]` with what one output has of it, a row as checkpoints store it, larger
/// by a hundredth of a percent.
fn one_row(weight: &Param<Tensor<2>>, output: usize) -> Param<Tensor<2>> {
    let [_, d_out] = weight.val().dims();
    with(weight, |values| {
        let row = values.iter_mut().skip(output % d_out).step_by(d_out);
        row.for_each(|value| *value *= 1.0001);
    })
}

fn main_stack(config: &mut NetworkConfig) -> &mut StackConfig {
    let stacks = [&mut config.decoder, &mut config.encoder, &mut config.vision];
    stacks.into_iter().flatten().next().unwrap()
}

/// The values of `weight` with `change` made to them.
fn with<const D: usize>(
    weight: &Param<Tensor<D>>,
    change: impl FnOnce(&mut Vec<f32>),
) -> Param<Tensor<D>> {
    let value = weight.val();
    let device = value.device();
    let data = value.into_data();
    let shape = data.shape().clone();
    let mut values = data.try_to_vec::<f32>().unwrap();
    change(&mut values);
    Param::from_tensor(Tensor::from_data(TensorData::new(values, shape), &device))
}

const FAMILIES: [(&str, &str); 5] = [
    ("bert", "encoder"),
    ("gpt2", "decoder"),
    ("llama", "decoder"),
    ("t5", "decoder"),
    ("vit", "vision"),
];

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}
