//! What is refused is called what it is, and what to make of it is said: packed weights, adapters,
//! weights of other programs, exported folders, tokens and positions that a file has no rows for.

use std::fs;
use std::path::Path;

use burn::tensor::TensorData;
use fluxo_models::{Tensors, tensors};
use fluxo_tests::fixture;
use serde_json::{Value, json};

use crate::common::*;

/// A llama with `key` in its config.json.
fn with(key: &str, value: Value) -> tempfile::TempDir {
    let dir = copy("llama");
    let path = dir.path().join("config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    config[key] = value;
    fs::write(path, config.to_string()).unwrap();
    dir
}

/// `needles` in what each verb that loads `dir` says.
fn each_says(dir: &Path, needles: &[&str]) {
    let dir = text(dir);
    for needle in needles {
        refused(&["info", dir], needle);
        refused(&["generate", dir, "--ids", "1"], needle);
        refused(&["inspect", dir, "--ids", "1"], needle);
        refused(&["compare", dir, "--on", "flex,ndarray"], needle);
        refused(&["export", dir, "--out", "unused"], needle);
    }
}

#[test]
fn quantised_weights_are_called_by_their_method() {
    for (said, needles) in [
        (
            json!({"quant_method": "gptq", "bits": 4}),
            &["quantised with GPTQ in 4 bits", "that they were made from"][..],
        ),
        (
            json!({"quant_method": "awq", "bits": 4}),
            &["with AWQ in 4 bits"],
        ),
        (
            json!({"quant_method": "bitsandbytes", "load_in_4bit": true}),
            &[
                "with bitsandbytes in 4 bits",
                ".dequantize().save_pretrained(",
            ],
        ),
        (
            json!({"load_in_8bit": true}),
            &["with bitsandbytes in 8 bits"],
        ),
        (
            json!({"quant_method": "fp8"}),
            &["with fp8", "FineGrainedFP8Config(dequantize=True)"],
        ),
        (
            json!({"quant_method": "compressed-tensors", "config_groups": {}}),
            &["with compressed-tensors", "run_compressed=False"],
        ),
        (json!({"quant_method": "hqq"}), &["quantised with hqq"]),
        (json!({}), &["a method that config.json does not name"]),
    ] {
        each_says(with("quantization_config", said).path(), needles);
    }
    // By the tensors' names.
    let dir = copy("llama");
    let path = dir.path().join("model.safetensors");
    let mut all = tensors::read(&path).unwrap();
    all.remove("model.layers.0.self_attn.q_proj.weight");
    let packed = TensorData::new(vec![0_i32; 8], [2, 4]);
    all.insert("model.layers.0.self_attn.q_proj.qweight".into(), packed);
    tensors::write(&path, &all).unwrap();
    each_says(dir.path(), &["quantised with GPTQ or AWQ"]);
}

#[test]
fn adapters_are_to_be_merged() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::write(at("adapter_model.safetensors"), "").unwrap();
    fs::write(at("adapter_config.json"), "{}").unwrap();
    let whole = [
        "an adapter, which is no model by itself",
        "merge_and_unload()",
    ];
    each_says(dir.path(), &whole);
    let about = json!({"peft_type": "LORA", "base_model_name_or_path": "some/base"});
    fs::write(at("adapter_config.json"), about.to_string()).unwrap();
    let needles = [
        "a LORA adapter of some/base",
        "from_pretrained('some/base')",
    ];
    each_says(dir.path(), &needles);
    fs::copy(fixture("hf/llama/config.json"), at("config.json")).unwrap();
    each_says(dir.path(), &needles);
    // Beside the model's own weights it would be left out.
    fs::copy(
        fixture("hf/llama/model.safetensors"),
        at("model.safetensors"),
    )
    .unwrap();
    each_says(dir.path(), &["to run the model without it, move"]);
    fs::remove_file(at("adapter_model.safetensors")).unwrap();
    json(&["info", text(dir.path())]);
}

#[test]
fn weights_of_other_programs_are_called_what_they_are() {
    for (file, needles) in [
        (
            "m.Q4_K.gguf",
            &["GGUF weights (m.Q4_K.gguf)", "gguf_file='m.Q4_K.gguf'"][..],
        ),
        (
            "tf_model.h5",
            &["TensorFlow weights (tf_model.h5)", "from_tf=True"],
        ),
        ("flax_model.msgpack", &["Flax weights", "from_flax=True"]),
        ("model.bin", &["weights of CTranslate2"]),
        ("consolidated.00.pth", &["their publisher's own layout"]),
        ("model.fp16.safetensors", &["rename the file"]),
        (
            "model-00001-of-00002.safetensors",
            &["without the index of all such files"],
        ),
    ] {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(file), "").unwrap();
        each_says(dir.path(), needles);
        fs::copy(
            fixture("hf/llama/config.json"),
            dir.path().join("config.json"),
        )
        .unwrap();
        each_says(dir.path(), needles);
        let path = dir.path().join(file);
        refused(
            &["compare", text(&path)],
            "neither a folder nor an .onnx file",
        );
    }
}

#[test]
fn an_index_may_name_constants_that_are_not_there() {
    let dir = copy("llama");
    let (weights, shard) = ("model.safetensors", "model-00001-of-00001.safetensors");
    fs::rename(dir.path().join(weights), dir.path().join(shard)).unwrap();
    let write = |more: &str| {
        let all = tensors::read(&dir.path().join(shard)).unwrap();
        let names = all.keys().map(String::as_str).chain([more]);
        let map: serde_json::Map<_, _> = names.map(|n| (n.to_string(), json!(shard))).collect();
        let index = json!({"metadata": {}, "weight_map": map});
        let path = dir.path().join("model.safetensors.index.json");
        fs::write(path, index.to_string()).unwrap();
    };
    write("model.layers.0.self_attn.rotary_emb.inv_freq");
    let told = json(&["info", text(dir.path())]);
    assert_eq!(told["report"]["unused"], json!([]));
    write("model.layers.0.self_attn.more.weight");
    refused(&["info", text(dir.path())], "more.weight` is not in");
}

/// In every runtime that is here, in one line that says which and how many there are.
#[test]
fn tokens_and_positions_without_rows_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_string();
    let model = fixture("hf/gpt2");
    let (model, export) = (text(&model), at("export"));
    json(&["export", model, "--out", &export]);
    let ids = |name: &str, ids: Vec<i64>| {
        let shape = [1, ids.len()];
        let ids = Tensors::from([("input_ids".to_string(), TensorData::new(ids, shape))]);
        tensors::write(&dir.path().join(name), &ids).unwrap();
        at(name)
    };
    let (token, long) = (ids("token", vec![3, 4, 99, 5]), ids("long", vec![3; 65]));
    let out = at("out");
    let file = format!("{export}/onnx/model.onnx");
    for given in [export.as_str(), file.as_str()] {
        for runtime in runtimes() {
            let run = ["run", given, "--on", runtime, "--out", &out, "--inputs"];
            let needle = "`input_ids` holds 99 at position 2 of row 0, and the file has 99 of";
            refused(&[&run[..], &[token.as_str()]].concat(), needle);
            let needle = "the sequence has 65 positions, and the model has 64";
            refused(&[&run[..], &[long.as_str()]].concat(), needle);
        }
        let compare = ["compare", given, "--on", "tract,rten", "--inputs", &token];
        // A comparison ends with what came of it, on stdout too.
        let told = fluxo(&compare);
        let (said, error) = (told.stdout, String::from_utf8(told.stderr).unwrap());
        let needle = "could not run: tract: `input_ids` holds 99 at position 2 of row 0";
        assert!(
            error.contains(needle) && error.lines().count() == 1,
            "{error}"
        );
        assert!(String::from_utf8(said).unwrap().starts_with(needle));
        assert_eq!(told.status.code(), Some(2));
    }
    let run = ["run", model, "--out", &out, "--inputs"];
    let needle = "`input_ids` holds 99 at position 2 of row 0, and must be from 0 to 98";
    refused(&[&run[..], &[token.as_str()]].concat(), needle);
    refused(
        &[&run[..], &[long.as_str()]].concat(),
        "65 positions, and the model has 64",
    );
    // The export is not what is trained or exported.
    let needle = "holds an exported model (.onnx), and a checkpoint is needed here";
    refused(&["export", &export, "--out", &out], needle);
}

/// The runtimes that are on this machine.
fn runtimes() -> Vec<&'static str> {
    let all = fluxo_compare::open::runtimes();
    let here = all.iter().filter(|status| status.usable);
    here.map(|status| status.name).collect()
}
