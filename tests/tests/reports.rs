//! Small checkpoints after public reports, each in a folder `fixtures/reports/KIND/CASE` with
//! what transformers gave for it: every folder with a `reference.safetensors` is loaded as it
//! is, run, and compared. Cases about generation, tokenizers and messages have tests of their
//! own.
//!
//! `in.*` are inputs, `out.*` outputs in float32, `half.*` outputs of the model in float16,
//! `last_NAME` the output NAME at the last position.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use burn::tensor::{DType, TensorData};
use fluxo_models::{Model, OutputOptions, Tensors, tensors};
use fluxo_tests::{checkpoints, fixture, trial};
use libtest_mimic::Arguments;

/// Float32 noise of models this small is about 1e-6, scaled.
const BOUND: f64 = 1e-5;
/// float16 has 11 bits, 5e-4, and a few dozen roundings follow each other in these models.
const HALF_BOUND: f64 = 0.05;

fn main() {
    let mut kinds: Vec<_> = std::fs::read_dir(fixture("reports"))
        .unwrap()
        .flatten()
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    kinds.sort();
    let cases = kinds
        .iter()
        .flat_map(|kind| checkpoints(&format!("reports/{kind}")));
    let trials: Vec<_> = cases
        .map(|folder| trial(name(&folder), Ok(()), move || agrees(&folder)))
        .collect();
    assert!(!trials.is_empty());
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

/// `KIND/CASE`.
fn name(folder: &Path) -> String {
    let mut parts: Vec<_> = folder.iter().rev().take(2).collect();
    parts.reverse();
    parts.iter().collect::<PathBuf>().display().to_string()
}

fn agrees(folder: &Path) -> Result<(), String> {
    let reference = tensors::read(&folder.join("reference.safetensors")).unwrap();
    let given = reference.iter().filter(|(name, _)| name.starts_with("in."));
    let given: Tensors = given.map(|(name, t)| (name.clone(), t.clone())).collect();
    let half = reference.keys().any(|name| name.starts_with("half."));
    let mut compared = 0;
    let forms = [
        (DType::F32, "out.", BOUND),
        (DType::F16, "half.", HALF_BOUND),
    ];
    for (dtype, prefix, bound) in forms {
        if dtype == DType::F16 && !half {
            continue;
        }
        let outputs = run(folder, &given, dtype)?;
        let about = reference
            .iter()
            .filter_map(|(name, tensor)| Some((tensor, of(name, prefix)?)));
        for (wanted, (kind, name)) in about {
            let got = outputs.get(name).ok_or(format!("no output `{name}`"))?;
            let worst = difference(got, wanted, kind, reference.get("in.attention_mask"));
            if !worst.is_finite() || worst > bound {
                return Err(format!(
                    "{name} in {dtype:?} differs by {worst:.1e}, scaled"
                ));
            }
            compared += 1;
        }
    }
    if compared == 0 {
        return Err("nothing was compared".into());
    }
    Ok(())
}

/// Which positions a reference has.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Every,
    Last,
}

/// The output that the reference's tensor `name` is about.
fn of<'a>(name: &'a str, prefix: &str) -> Option<(Kind, &'a str)> {
    match name.strip_prefix("last_") {
        Some(output) => (prefix == "out.").then_some((Kind::Last, output)),
        None => Some((Kind::Every, name.strip_prefix(prefix)?)),
    }
}

fn run(folder: &Path, inputs: &Tensors, dtype: DType) -> Result<Tensors, String> {
    let device = fluxo_backends::device("flex").unwrap();
    let (model, _) =
        Model::load_as(folder, None, &device, dtype).map_err(|e| format!("does not load: {e}"))?;
    let outputs = model.run(inputs, &OutputOptions::default());
    outputs.map_err(|e| format!("does not run: {e}"))
}

/// The largest difference at the positions that `mask` keeps, divided by the largest magnitude
/// where that is over 1.
fn difference(got: &TensorData, wanted: &TensorData, kind: Kind, mask: Option<&TensorData>) -> f64 {
    let shape = got.shape();
    let (got, wanted): (Vec<f32>, Vec<f32>) =
        (got.iter::<f32>().collect(), wanted.iter::<f32>().collect());
    let width = *shape.last().unwrap();
    let last = |index: &usize| (index / width + 1).is_multiple_of(shape[1]);
    let got: Vec<f32> = match kind {
        Kind::Every => got,
        Kind::Last => (0..got.len()).filter(last).map(|i| got[i]).collect(),
    };
    assert_eq!(got.len(), wanted.len(), "another shape");
    let kept: Vec<bool> = match mask {
        Some(mask)
            if kind == Kind::Every && shape.rank() == 3 && mask.shape()[..] == shape[..2] =>
        {
            mask.iter::<i64>().map(|kept| kept == 1).collect()
        }
        _ => vec![true; got.len() / width],
    };
    let scale = wanted.iter().fold(1f32, |most, x| most.max(x.abs()));
    let errors = got.iter().zip(&wanted).enumerate();
    let errors = errors.filter(|(index, _)| kept[index / width]);
    errors.fold(0f64, |worst, (_, (a, b))| {
        let error = f64::from((a - b).abs() / scale);
        // `max` would drop what is no number.
        if error.is_nan() {
            f64::INFINITY
        } else {
            worst.max(error)
        }
    })
}
