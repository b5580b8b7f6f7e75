//! `out.greedy` of every reference that has it, token for token, with the cache and without, on
//! the default backend. That a cache changes nothing in transformers either is seen to where the
//! references are made.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use burn::tensor::TensorData;
use fluxo_models::generate::{Prompts, Sampling, generate_all};
use fluxo_models::{Model, Tensors, tensors};

/// The folders of the set `set` whose references have greedy tokens.
fn folders(set: &str) -> Vec<(PathBuf, Tensors)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures");
    let folders = std::fs::read_dir(root.join(set)).unwrap();
    let mut found: Vec<_> = folders
        .filter_map(|entry| {
            let folder = entry.unwrap().path();
            let reference = tensors::read(&folder.join("reference.safetensors")).ok()?;
            let greedy = reference.contains_key("out.greedy");
            greedy.then_some((folder, reference))
        })
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

fn tokens(data: &TensorData) -> Vec<u32> {
    let numbers = data.as_slice::<i64>().unwrap();
    numbers.iter().map(|&number| number as u32).collect()
}

/// Row 0 of the inputs, without its padding.
fn prompt(reference: &Tensors) -> Prompts {
    if let Some(features) = reference.get("in.input_features") {
        let [_, bins, frames] = <[usize; 3]>::try_from(features.shape().to_vec()).unwrap();
        let row = features.as_slice::<f32>().unwrap()[..bins * frames].to_vec();
        return Prompts::Sound(TensorData::new(row, [1, bins, frames]));
    }
    let ids = tokens(&reference["in.input_ids"]);
    let keep = tokens(&reference["in.attention_mask"]);
    let seq = reference["in.input_ids"].shape()[1];
    let row = ids.iter().zip(keep).take(seq);
    Prompts::Tokens(vec![
        row.filter(|(_, keep)| *keep == 1)
            .map(|(&id, _)| id)
            .collect(),
    ])
}

fn agrees(set: &str, least: usize) {
    let device = fluxo_backends::device("flex").unwrap();
    let folders = folders(set);
    assert!(folders.len() >= least, "{set}: {}", folders.len());
    for (folder, reference) in folders {
        let (model, _) = Model::load(&folder, None, &device).unwrap();
        let wanted = tokens(&reference["out.greedy"]);
        let wanted = &wanted[wanted.len() - 10..];
        let prompt = prompt(&reference);
        // One reference goes beyond what its model is meant for.
        let fitting = match &prompt {
            Prompts::Tokens(prompts) if !model.config().encodes_and_decodes() => {
                model.config().max_positions() + 1 - prompts[0].len()
            }
            _ => 10,
        };
        assert!(fitting >= 10 || folder.ends_with("llama-dynamic"));
        let wanted = &wanted[..fitting.min(10)];
        for cache in [true, false] {
            let sampling = Sampling {
                cache,
                ..Sampling::default()
            };
            let mut streamed = Vec::new();
            let note = |_, token| streamed.push(token);
            let got = generate_all(&model, &prompt, wanted.len(), &sampling, note);
            let name = folder.display();
            assert_eq!(got.unwrap(), [wanted], "{name}, cache: {cache}");
            assert_eq!(streamed, wanted, "{name}");
        }
    }
}

#[test]
fn greedy_tokens_are_transformers_own() {
    agrees("hf", 29);
}

#[test]
fn greedy_tokens_of_the_older_layout_are_too() {
    agrees("hf-v4", 6);
}
