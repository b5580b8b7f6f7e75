//! Checkpoints that are refused: broken, impossible, or not to be trusted.

use std::path::Path;

use burn::tensor::TensorData;
use fluxo_models::{Tensors, tensors};
use serde_json::Value;

use crate::common::*;

#[test]
fn broken_checkpoints_are_refused() {
    let generate = |dir: &Path, needle: &str| {
        refused(&["generate", text(dir), "--ids", "1"], needle);
    };
    let dir = copy("gpt2");
    let weights = dir.path().join("model.safetensors");
    let bytes = std::fs::read(&weights).unwrap();
    std::fs::write(&weights, &bytes[..bytes.len() - 100]).unwrap();
    generate(dir.path(), "safetensors file");
    std::fs::write(&weights, [&u64::MAX.to_le_bytes()[..], b"{}"].concat()).unwrap();
    generate(dir.path(), "safetensors file");
    let hostile = br#"{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,4]}}"#;
    let length = (hostile.len() as u64).to_le_bytes();
    std::fs::write(&weights, [&length[..], hostile, &[0; 4]].concat()).unwrap();
    generate(dir.path(), "safetensors file");
    std::fs::write(&weights, b"").unwrap();
    generate(dir.path(), "empty");
    std::fs::remove_file(&weights).unwrap();
    generate(dir.path(), "model.safetensors");

    let change = |family: &str, change: &dyn Fn(&mut Tensors)| {
        let dir = copy(family);
        let weights = dir.path().join("model.safetensors");
        let mut all = tensors::read(&weights).unwrap();
        change(&mut all);
        tensors::write(&weights, &all).unwrap();
        dir
    };
    let dir = change("gpt2", &|all| drop(all.remove("transformer.h.1.ln_2.bias")));
    generate(dir.path(), "`h.1.ln_2.bias` is missing");
    let dir = change("llama", &|all| {
        all.insert(
            "model.norm.weight".into(),
            TensorData::new(vec![1f32; 31], [31]),
        );
    });
    generate(dir.path(), "`model.norm.weight` is [31]");
    let dir = change("llama", &|all| {
        all.insert(
            "model.norm.weight".into(),
            TensorData::new(vec![f32::NAN; 32], [32]),
        );
    });
    generate(dir.path(), "NaN");
    let dir = change("llama", &|all| {
        all.insert(
            "model.norm.weight".into(),
            TensorData::new(vec![1i64; 32], [32]),
        );
    });
    generate(dir.path(), "not floats");
}

fn edit_config(dir: &Path, key: &str, value: Value) {
    let path = dir.join("config.json");
    let mut config: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    config[key] = value;
    std::fs::write(path, config.to_string()).unwrap();
}

#[test]
fn impossible_configurations_are_refused() {
    let with = |key: &str, value: Value, needle: &str| {
        let dir = copy("llama");
        edit_config(dir.path(), key, value);
        refused(&["generate", text(dir.path()), "--ids", "1"], needle);
    };
    with("model_type", "mamba".into(), "unknown family `mamba`");
    with("model_type", "gpt2".into(), "`wte.weight` is missing");
    with("hidden_size", 0.into(), "`hidden_size` is 0");
    with("hidden_size", (-32).into(), "`hidden_size` is -32");
    with("hidden_size", "big".into(), "`hidden_size`");
    with(
        "hidden_size",
        4_611_686_018_427_387_904_u64.into(),
        "`hidden_size`",
    );
    with(
        "hidden_size",
        16_777_216.into(),
        "config.json asks for [99, 16777216]",
    );
    with("num_hidden_layers", 1_000_000.into(), "layers");
    with("num_key_value_heads", 3.into(), "3 key and value heads");
    with("head_dim", 7.into(), "rotary");
    with("hidden_act", "sine".into(), "`sine`");
    let dir = copy("llama");
    std::fs::write(dir.path().join("config.json"), "{").unwrap();
    refused(&["info", text(dir.path())], "not JSON");
    refused(&["info", "no-such-folder"], "no-such-folder");
    refused(&["compare", "no-such-folder"], "no such file or folder");
    let told = fluxo(&["train", "gpt2", "--data", "no-such-text", "--out", "unused"]).stderr;
    let told = String::from_utf8(told).unwrap();
    assert_eq!(told.matches("No such file").count(), 1, "{told}");
}

/// A pickle that would run a program is refused, and the program does not run.
#[test]
fn code_in_a_checkpoint_is_not_run() {
    let dir = copy("gpt2");
    std::fs::remove_file(dir.path().join("model.safetensors")).unwrap();
    let made = dir.path().join("made");
    let pickle = format!("cposix\nsystem\n(S'touch {}'\ntR.", made.display());
    std::fs::write(dir.path().join("pytorch_model.bin"), pickle).unwrap();
    refused(&["info", text(dir.path())], "holds code");
    assert!(!made.exists());
}

/// A shard outside its folder is refused.
#[test]
fn shards_stay_in_their_folder() {
    let dir = copy("gpt2");
    let weights = dir.path().join("model.safetensors");
    std::fs::rename(&weights, dir.path().join("elsewhere")).unwrap();
    let index = serde_json::json!({"weight_map": {"transformer.wte.weight": "../elsewhere"}});
    std::fs::write(
        dir.path().join("model.safetensors.index.json"),
        index.to_string(),
    )
    .unwrap();
    refused(&["info", text(dir.path())], "escape");
}
