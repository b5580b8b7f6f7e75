//! A check that nothing fails says nothing: files with one thing wrong each, and every one of them
//! must be noticed at some size.
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../judge/mod.rs"]
mod judge;
mod mutate;

use std::collections::BTreeMap;

use burn::module::Module;
use burn::nn::{LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::activation::softmax;
use burn::tensor::{Bool, Device, Tensor};
use common::{ALL, distance, floats};
use fluxo_onnx::{Args, Dim, Input, OnnxModel, Options, Outputs, Spec, evaluate, export};
use judge::{Judge, Stir, Tensors};
use mutate::Mutant;

/// Attention of new positions to a cache and to themselves.
#[derive(Module, Debug)]
struct Step {
    query: Linear,
    norm: LayerNorm,
    output: Linear,
}

impl Step {
    fn forward(&self, args: &mut Args) -> Outputs {
        let x = args.float::<3>("x"); // [batch, sequence, 4]
        let cache = args.float::<3>("cache"); // [batch, past, 4]
        let device = args.device();
        let [batch, sequence, _] = x.dims();
        let key = Tensor::cat(vec![cache, x.clone()], 1); // [batch, past + sequence, 4]
        let [_, total, _] = key.dims();
        let heads = |tensor: Tensor<3>, length: usize| {
            let split = tensor.reshape([batch, length, 2, 2]);
            split.swap_dims(1, 2) // [batch, 2, length, 2]
        };
        let query = heads(self.query.forward(x.clone()), sequence);
        let key = heads(key, total);
        let hidden =
            Tensor::<2, Bool>::tril_mask([sequence, total], (total - sequence) as i64, &device);
        let hidden = hidden.unsqueeze::<4>();
        let scores = query.matmul(key.clone().swap_dims(2, 3));
        let scores = scores.mask_fill(hidden, -1e4);
        let mixed = softmax(scores, 3).matmul(key).swap_dims(1, 2);
        let mixed = mixed.reshape([batch, sequence, 4]);
        let out = self.output.forward(self.norm.forward(mixed)) + x;
        Outputs::new().float("y", out)
    }
}

/// The module and its file.
fn model() -> (Step, OnnxModel) {
    let device = Device::flex();
    let step = Step {
        query: LinearConfig::new(4, 4).init(&device),
        norm: LayerNormConfig::new(4).init(&device),
        output: LinearConfig::new(4, 4).init(&device),
    };
    let step = step.map(&mut Stir);
    let dims = |length: &str| -> [Dim; 3] { ["batch".into(), length.into(), 4.into()] };
    let spec = Spec::new("step")
        .input(Input::float("x", dims("sequence")))
        .input(Input::float("cache", dims("past")));
    let model = export(
        &step,
        &spec,
        &Options::default(),
        |step: &Step, args: &mut Args| step.forward(args),
    );
    (step, model.unwrap())
}

/// Inputs and Burn's outputs at sizes that no trace had.
fn sets(step: &Step) -> Vec<(Tensors, Tensors)> {
    let sizes = [(1, 1, 1), (2, 3, 1), (1, 2, 6), (3, 8, 2), (5, 9, 11)];
    sizes
        .into_iter()
        .map(|(batch, sequence, past)| {
            let inputs: Tensors = common::inputs([
                ("x", floats(&[batch, sequence, 4], 1)),
                ("cache", floats(&[batch, past, 4], 2)),
            ]);
            let outputs = evaluate(
                step,
                &Device::flex(),
                &inputs,
                |step: &Step, args: &mut Args| step.forward(args),
            );
            (
                inputs,
                outputs.unwrap().into_iter().collect::<BTreeMap<_, _>>(),
            )
        })
        .collect()
}

const BOUND: f64 = 2e-5;

/// Whether the embedded runtimes notice: a difference, or no result.
fn noticed_here(bytes: &[u8], model: &OnnxModel, sets: &[(Tensors, Tensors)]) -> bool {
    sets.iter().any(|(inputs, wanted)| {
        ALL.iter().any(|runtime| {
            let run = std::panic::AssertUnwindSafe(|| runtime.run(bytes, model, inputs));
            match std::panic::catch_unwind(run) {
                Ok(Ok(got)) => got.iter().any(|(name, data)| {
                    !distance(&wanted[name], data).is_ok_and(|gap| gap <= BOUND)
                }),
                _ => true,
            }
        })
    })
}

/// Whether the checker or ONNX Runtime notices.
fn noticed_there(judge: &mut Judge, bytes: &[u8], sets: &[(Tensors, Tensors)]) -> bool {
    let ruling = judge.rule(bytes, sets);
    let fine = |run: &Result<f64, String>| run.as_ref().is_ok_and(|gap| *gap <= BOUND);
    ruling.checker.is_some() || !ruling.runs.iter().all(fine)
}

fn all_are_noticed(what: &str, make: fn(&[u8]) -> Vec<Mutant>) {
    let (step, model) = model();
    let sets = sets(&step);
    let bytes = model.to_bytes().unwrap();
    let mut judge = Judge::start();
    assert!(
        !noticed_here(&bytes, &model, &sets),
        "the file itself is right"
    );
    if let Some(judge) = &mut judge {
        assert!(
            !noticed_there(judge, &bytes, &sets),
            "the file itself is right"
        );
    }
    let mutants = make(&bytes);
    assert!(!mutants.is_empty(), "the file has no {what}");
    for mutant in mutants {
        let at = &mutant.at;
        assert!(
            noticed_here(&mutant.bytes, &model, &sets),
            "{what} at {at} is not noticed here"
        );
        if let Some(judge) = &mut judge {
            let noticed = noticed_there(judge, &mutant.bytes, &sets);
            assert!(noticed, "{what} at {at} is not noticed by ONNX Runtime");
        }
    }
}

#[test]
fn a_frozen_size_is_noticed() {
    all_are_noticed("frozen size", mutate::frozen_sizes);
}

#[test]
fn a_swapped_axis_is_noticed() {
    all_are_noticed("swapped axis", mutate::swapped_axes);
}

#[test]
fn a_dropped_bias_is_noticed() {
    all_are_noticed("dropped bias", mutate::dropped_biases);
}

#[test]
fn a_mask_aligned_the_wrong_way_is_noticed() {
    all_are_noticed("misaligned mask", mutate::misaligned_masks);
}
