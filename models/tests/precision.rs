//! The zoo in 16-bit floats: every family computes in them on flex, as near to float32 as they
//! allow, and a backend that does not is refused.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::{Path, PathBuf};

use burn::tensor::{DType, TensorData};
use fluxo_models::{Error, Model, OutputOptions, Tensors, tensors};

/// Largest difference to float32, in units of the last place of the type at the output's largest
/// magnitude. Three layers round some thirty times; the largest seen is 11 (flan-t5 in float16).
const UNITS: f64 = 16.0;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/hf")
}

fn checkpoints() -> Vec<PathBuf> {
    let folders = std::fs::read_dir(fixtures()).unwrap();
    let mut found: Vec<_> = folders.map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

fn outputs(folder: &Path, dtype: DType) -> Tensors {
    let device = fluxo_backends::device("flex").unwrap();
    let (model, _) = Model::load_as(folder, None, &device, dtype).unwrap();
    assert_eq!(model.dtype(), dtype);
    let mut inputs = tensors::read(&folder.join("reference.safetensors")).unwrap();
    inputs.retain(|name, _| name.starts_with("in."));
    // Padding would be compared too.
    inputs.remove("in.attention_mask");
    model.run(&inputs, &OutputOptions::default()).unwrap()
}

fn difference(found: &TensorData, wanted: &TensorData) -> f64 {
    let (found, wanted) = (
        found.as_slice::<f32>().unwrap(),
        wanted.as_slice::<f32>().unwrap(),
    );
    let largest = wanted
        .iter()
        .fold(0f64, |max, v| max.max(f64::from(v.abs())));
    let pairs = found.iter().zip(wanted);
    pairs
        .map(|(a, b)| f64::from((a - b).abs()) / largest)
        .fold(0.0, |max, d| {
            if d.is_nan() {
                f64::INFINITY
            } else {
                f64::max(max, d)
            }
        })
}

fn near(dtype: DType, unit: f64) {
    let mut far = Vec::new();
    for folder in checkpoints() {
        let (found, wanted) = (outputs(&folder, dtype), outputs(&folder, DType::F32));
        let names = wanted.keys().filter(|name| !name.starts_with("present."));
        let worst = names.map(|name| difference(&found[name], &wanted[name]) / unit);
        let worst = worst.fold(0.0, f64::max);
        println!(
            "{} {dtype:?} {worst:.1}",
            folder.file_name().unwrap().display()
        );
        if worst > UNITS {
            far.push((folder, worst));
        }
    }
    assert!(far.is_empty(), "{far:?}");
}

#[test]
fn float16_is_near_float32() {
    near(DType::F16, 2f64.powi(-10));
}

#[test]
fn bfloat16_is_near_float32() {
    near(DType::BF16, 2f64.powi(-7));
}

#[test]
fn a_backend_without_the_type_is_refused() {
    let device = fluxo_backends::device("ndarray").unwrap();
    let error = Model::load_as(&fixtures().join("bert"), None, &device, DType::F16).unwrap_err();
    assert!(
        matches!(error, Error::Dtype { dtype: DType::F16 }),
        "{error}"
    );
}
