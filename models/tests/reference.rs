//! The families against transformers' own outputs, on the default backend. The same on every
//! backend and in every runtime is in `tests/`.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use burn::tensor::TensorData;
use fluxo_models::generate::{Sampling, generate};
use fluxo_models::{Model, OutputOptions, Task, tensors};

fn folder(family: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/fixtures/hf")
        .join(family)
}

fn load(family: &str) -> Model {
    let device = fluxo_backends::device("flex").unwrap();
    Model::load(&folder(family), None, &device).unwrap().0
}

/// Largest difference over the positions that `mask` keeps, divided by the output's largest
/// magnitude where that is over 1.
fn difference(got: &TensorData, wanted: &TensorData, mask: &[i64]) -> f64 {
    assert_eq!(got.shape(), wanted.shape());
    let (got, wanted) = (
        got.as_slice::<f32>().unwrap(),
        wanted.as_slice::<f32>().unwrap(),
    );
    let width = got.len() / mask.len();
    let (mut largest, mut magnitude) = (0f64, 1f64);
    for (index, (a, b)) in got.iter().zip(wanted).enumerate() {
        if width == 0 || mask[index / width] == 1 {
            largest = largest.max(f64::from((a - b).abs()));
            magnitude = magnitude.max(f64::from(b.abs()));
        }
    }
    largest / magnitude
}

fn agrees(family: &str) {
    let reference = tensors::read(&folder(family).join("reference.safetensors")).unwrap();
    let request = OutputOptions {
        hidden_states: true,
        taps: false,
    };
    let outputs = load(family).run(&reference, &request).unwrap();
    let mask = reference["in.attention_mask"].as_slice::<i64>().unwrap();
    let mut compared = 0;
    for (name, wanted) in reference
        .iter()
        .filter_map(|(n, t)| Some((n.strip_prefix("out.")?, t)))
    {
        if name == "greedy" {
            continue;
        }
        let everywhere = vec![1; wanted.shape()[0]];
        let kept = if wanted.rank() == 3 {
            mask
        } else {
            &everywhere
        };
        let difference = difference(&outputs[name], wanted, kept);
        // The bound; float32 noise of these models is about 1e-6.
        assert!(difference <= 2e-5, "{family} {name}: {difference:e}");
        compared += 1;
    }
    assert!(
        compared >= 5,
        "{family}: only {compared} outputs were compared"
    );
}

#[test]
fn bert_agrees_with_transformers() {
    agrees("bert");
}

#[test]
fn gpt2_agrees_with_transformers() {
    agrees("gpt2");
}

#[test]
fn llama_agrees_with_transformers() {
    agrees("llama");
}

#[test]
fn greedy_tokens_are_transformers_own() {
    for family in ["gpt2", "llama"] {
        let reference = tensors::read(&folder(family).join("reference.safetensors")).unwrap();
        let wanted: Vec<u32> = reference["out.greedy"]
            .as_slice::<i64>()
            .unwrap()
            .iter()
            .map(|&t| t as u32)
            .collect();
        let prompt = wanted.len() - 10;
        let mut streamed = Vec::new();
        let got = generate(
            &load(family),
            &wanted[..prompt],
            10,
            &Sampling::default(),
            |t| streamed.push(t),
        );
        assert_eq!(got.unwrap(), wanted[prompt..], "{family}");
        assert_eq!(streamed, wanted[prompt..], "{family}");
    }
}

#[test]
fn a_saved_model_is_the_published_file_again() {
    for family in ["bert", "gpt2", "llama"] {
        let out = tempfile::tempdir().unwrap();
        load(family).save(out.path()).unwrap();
        let published = tensors::read(&folder(family).join("model.safetensors")).unwrap();
        let saved = tensors::read(&out.path().join("model.safetensors")).unwrap();
        assert_eq!(
            published.keys().collect::<Vec<_>>(),
            saved.keys().collect::<Vec<_>>()
        );
        for (name, tensor) in &published {
            assert_eq!(tensor, &saved[name], "{family} {name}");
        }
    }
}

#[test]
fn names_load_with_and_without_their_prefix() {
    for (family, prefix) in [
        ("bert", "bert."),
        ("gpt2", "transformer."),
        ("llama", "model."),
    ] {
        let published = tensors::read(&folder(family).join("model.safetensors")).unwrap();
        let stripped = published.into_iter().map(|(name, data)| {
            let other = match name.strip_prefix(prefix) {
                Some(bare) => bare.to_string(),
                None if name.starts_with("lm_head") => name,
                None => format!("{prefix}{name}"),
            };
            (other, data)
        });
        let out = tempfile::tempdir().unwrap();
        tensors::write(&out.path().join("model.safetensors"), &stripped.collect()).unwrap();
        std::fs::copy(
            folder(family).join("config.json"),
            out.path().join("config.json"),
        )
        .unwrap();
        let device = fluxo_backends::device("flex").unwrap();
        let (model, report) = Model::load(out.path(), None, &device).unwrap();
        assert!(report.unused.is_empty(), "{:?}", report.unused);
        let reference = tensors::read(&folder(family).join("reference.safetensors")).unwrap();
        let request = OutputOptions::default();
        assert_eq!(
            model.run(&reference, &request).unwrap(),
            load(family).run(&reference, &request).unwrap(),
            "{family}"
        );
    }
}

#[test]
fn the_report_says_what_was_done() {
    let device = fluxo_backends::device("flex").unwrap();
    let (_, report) = Model::load(&folder("gpt2"), None, &device).unwrap();
    assert_eq!(report.split.len(), 6); // a fused weight and bias in each of 3 layers
    assert_eq!(report.tied, ["head = token embedding"]);
    assert!(report.transposed.is_empty() && report.unused.is_empty());
    let (_, report) =
        Model::load(&folder("llama"), Some(Task::FeatureExtraction), &device).unwrap();
    assert_eq!(report.unused, ["lm_head.weight"]);
    assert_eq!(report.transposed.len(), 7 * 3);
}
