//! The binary itself: every verb, its JSON, and one clear line for whatever is wrong.
#![allow(clippy::unwrap_used)]

#[path = "cli/comparing.rs"]
mod comparing;

use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;
use burn::tensor::TensorData;
use fluxo_models::{Tensors, tensors};
use fluxo_tests::fixture;
use serde_json::Value;

fn fluxo(args: &[&str]) -> Output {
    let binary = binary();
    Command::new(binary).args(args).output().unwrap()
}

fn binary() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_fluxo"))
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn json(args: &[&str]) -> Value {
    let output = fluxo(&[args, &["--json"]].concat());
    assert!(
        output.status.success(),
        "{args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Exit code 2 and exactly one line on stderr that says `needle`; nothing on stdout.
fn refused(args: &[&str], needle: &str) {
    let output = fluxo(args);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{args:?}: {stderr}");
    assert_eq!(stderr.lines().count(), 1, "{args:?}: {stderr}");
    assert!(stderr.contains(needle), "{args:?}: {stderr}");
    assert!(output.stdout.is_empty(), "{args:?}");
}

/// A copy of a fixture to break.
fn copy(family: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for file in ["config.json", "model.safetensors"] {
        std::fs::copy(
            fixture(&format!("hf/{family}/{file}")),
            dir.path().join(file),
        )
        .unwrap();
    }
    dir
}

fn edit_config(dir: &Path, key: &str, value: Value) {
    let path = dir.join("config.json");
    let mut config: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    config[key] = value;
    std::fs::write(path, config.to_string()).unwrap();
}

#[test]
fn models_and_backends_are_listed() {
    let models = json(&["models"]);
    let names: Vec<_> = models
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["family"].as_str().unwrap())
        .collect();
    assert_eq!(names.len(), 30);
    for family in ["bert", "gpt-neox", "flan-t5", "whisper", "clip"] {
        assert!(names.contains(&family), "{family}");
    }
    let backends = json(&["backends"]);
    let flex = &backends["backends"][0];
    assert_eq!(
        (flex["name"].as_str(), flex["default"].as_bool()),
        (Some("flex"), Some(true))
    );
    for backend in backends["backends"].as_array().unwrap() {
        let usable = backend["usable"].as_bool().unwrap();
        assert!(usable || backend["reason"].is_string(), "{backend}");
    }
}

#[test]
fn new_is_the_same_for_one_seed_and_trains_runs_and_tells() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    for (name, seed) in [("a", "1"), ("b", "1"), ("c", "2")] {
        json(&[
            "new",
            "llama",
            "--out",
            text(&at(name)),
            "--seed",
            seed,
            "--set",
            "num_hidden_layers=2",
        ]);
    }
    let weights = |name| std::fs::read(at(name).join("model.safetensors")).unwrap();
    assert_eq!(weights("a"), weights("b"));
    assert_ne!(weights("a"), weights("c"));
    let info = json(&["info", text(&at("a"))]);
    assert_eq!(info["configuration"]["decoder"]["layers"], 2);
    assert_eq!(info["text"], "bytes");
    refused(
        &["new", "llama", "--out", text(&at("a"))],
        "a checkpoint already",
    );
    refused(
        &["new", "lama", "--out", text(&at("d"))],
        "known families: bert, roberta",
    );
    refused(
        &["new", "llama", "--out", text(&at("d")), "--set", "layers=2"],
        "num_hidden_layers",
    );
    refused(
        &[
            "new",
            "llama",
            "--out",
            text(&at("d")),
            "--set",
            "num_attention_heads=7",
        ],
        "7",
    );
}

#[test]
fn generate_writes_the_references_tokens() {
    for family in ["gpt2", "llama"] {
        let reference =
            tensors::read(&fixture(&format!("hf/{family}/reference.safetensors"))).unwrap();
        let all = reference["out.greedy"].as_slice::<i64>().unwrap().to_vec();
        let prompt: Vec<_> = all[..all.len() - 10].iter().map(i64::to_string).collect();
        let model = fixture(&format!("hf/{family}"));
        let got = json(&[
            "generate",
            text(&model),
            "--ids",
            &prompt.join(","),
            "--max-new-tokens",
            "10",
        ]);
        let ids: Vec<_> = got["ids"]
            .as_array()
            .unwrap()
            .iter()
            .map(|id| id.as_i64().unwrap())
            .collect();
        assert_eq!(ids, all[all.len() - 10..]);
        assert!(got["text"].is_null());
    }
}

#[test]
fn sampling_follows_its_seed() {
    let model = fixture("hf/gpt2");
    let with = |seed: &str| {
        json(&[
            "generate",
            text(&model),
            "--ids",
            "5,6",
            "--max-new-tokens",
            "12",
            "--temperature",
            "1.5",
            "--ignore-end",
            "--seed",
            seed,
        ])["ids"]
            .clone()
    };
    assert_eq!(with("1"), with("1"));
    assert_ne!(with("1"), with("2"));
}

#[test]
fn run_gives_the_references_outputs() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out.safetensors");
    let inputs = fixture("hf/bert/reference.safetensors");
    json(&[
        "run",
        text(&fixture("hf/bert")),
        "--inputs",
        text(&inputs),
        "--out",
        text(&out),
        "--hidden-states",
        "--taps",
    ]);
    let outputs = tensors::read(&out).unwrap();
    assert_eq!(outputs["layers.2.h"], outputs["hidden_states.3"]);
    assert_eq!(outputs["layers.0.x"], outputs["hidden_states.0"]);
    assert_eq!(outputs["pooler_output"].shape().to_vec(), [2, 32]);
    let taps = outputs
        .keys()
        .filter(|name| name.starts_with("layers."))
        .count();
    assert_eq!(taps, 3 * 12);
}

#[test]
fn an_encoder_decoder_is_exported_as_two_files() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("exported");
    let model = fixture("hf/t5");
    let taps = "encoder.layers.1.h,decoder.layers.0.cross_out";
    let export = ["export", text(&model), "--out", text(&out), "--taps", taps];
    let export = json(&export);
    let outputs = |index: usize| export["files"][index]["outputs"].as_array().unwrap();
    assert_eq!(outputs(0), &["last_hidden_state", "encoder.layers.1.h"]);
    assert_eq!(outputs(1).last().unwrap(), "decoder.layers.0.cross_out");
    for file in ["encoder_model", "decoder_model_merged"] {
        assert!(out.join(format!("onnx/{file}.onnx")).is_file(), "{file}");
    }
    // The checkpoint's usual inputs go into both files, one after the other.
    let reference = model.join("reference.safetensors");
    let on = "flex,tract,rten";
    let inputs = text(&reference);
    let compare = [
        "compare",
        text(&model),
        text(&out),
        "--on",
        on,
        "--inputs",
        inputs,
    ];
    let report = json(&compare);
    assert_eq!(report["verdict"], "agree");
    let pairs = report["pairs"].as_array().unwrap();
    for output in ["logits", "encoder_last_hidden_state", "encoder.layers.1.h"] {
        let compared = pairs.iter().any(|pair| pair["output"] == output);
        assert!(compared, "{output}");
    }
    assert_eq!(
        json(&["compare", text(&model), text(&out), "--on", on])["verdict"],
        "agree"
    );
    let given = dir.path().join("out.safetensors");
    json(&["run", text(&out), "--inputs", inputs, "--out", text(&given)]);
    assert_eq!(
        tensors::read(&given).unwrap()["logits"].shape().to_vec(),
        [2, 7, 99]
    );
    let info = json(&["info", text(&out)]);
    assert_eq!(info["files"].as_array().unwrap().len(), 2);
}

#[test]
fn sizes_of_a_file_may_be_fixed() {
    let dir = tempfile::tempdir().unwrap();
    let model = fixture("hf/bert");
    let out = dir.path().join("bert");
    let sizes = "batch=1,sequence=8";
    json(&[
        "export",
        text(&model),
        "--out",
        text(&out),
        "--static",
        sizes,
    ]);
    let info = json(&["info", text(&out)]);
    assert_eq!(info["inputs"][0]["dims"], serde_json::json!(["1", "8"]));
    let report = json(&["compare", text(&model), text(&out), "--on", "flex,tract"]);
    assert_eq!(report["verdict"], "agree");
    let export = |rest: &[&'static str]| {
        let export = ["export", text(&model), "--out", text(&out)].map(String::from);
        let rest = rest.iter().map(ToString::to_string);
        export.into_iter().chain(rest).collect::<Vec<_>>()
    };
    for (rest, needle) in [
        (["--static", "past=3"], "it has: batch, sequence"),
        (["--taps", "layers.9.h"], "tap `layers.9.h`"),
    ] {
        let args = export(&rest);
        refused(&args.iter().map(String::as_str).collect::<Vec<_>>(), needle);
    }
    // A model that reads images of any size is exported for those that it is given.
    let model = copy("dinov2");
    let preprocessor = r#"{"image_processor_type": "BitImageProcessor",
        "size": {"shortest_edge": 20}, "crop_size": {"height": 12, "width": 20}}"#;
    std::fs::write(model.path().join("preprocessor_config.json"), preprocessor).unwrap();
    let out = dir.path().join("dinov2");
    json(&["export", text(model.path()), "--out", text(&out)]);
    let info = json(&["info", text(&out)]);
    let dims = serde_json::json!(["batch", "3", "12", "20"]);
    assert_eq!(info["inputs"][0]["dims"], dims);
    let report = json(&[
        "compare",
        text(model.path()),
        text(&out),
        "--on",
        "flex,rten",
    ]);
    assert_eq!(report["verdict"], "agree");
}

#[test]
fn a_file_may_be_for_one_runtime_and_in_half_precision() {
    let dir = tempfile::tempdir().unwrap();
    let model = fixture("hf/llama");
    let export = |rest: &'static [&'static str]| {
        let name = rest.join("").replace('-', "");
        let out = dir.path().join(name).to_str().unwrap().to_string();
        let export = ["export", text(&model), "--out", &out].map(String::from);
        let rest = rest.iter().map(ToString::to_string);
        export.into_iter().chain(rest).collect::<Vec<_>>()
    };
    let done = |rest| json(&export(rest).iter().map(String::as_str).collect::<Vec<_>>());
    let plain = done(&[]);
    assert_eq!(plain["opset"], 18);
    let rten = done(&["--target", "rten"]);
    assert_eq!(rten["opset"], 24);
    assert_eq!(rten["verification"]["verdict"], "agree");
    let half = done(&["--dtype", "f16", "--opset", "17"]);
    assert_eq!(half["opset"], 17);
    let bytes = |report: &Value| report["bytes"].as_u64().unwrap();
    assert!(bytes(&half) < bytes(&plain));
    for (rest, needle) in [
        (&["--opset", "16"][..], "17 to 24 are served"),
        (
            &["--target", "tract", "--dtype", "bf16"],
            "tract reads no such weights",
        ),
        (&["--target", "tensorrt"], "any, ort, tract, rten and web"),
    ] {
        let args = export(rest);
        let output = fluxo(&args.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(output.status.code(), Some(2), "{rest:?}");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(stderr.contains(needle), "{rest:?}: {stderr}");
    }
}

/// Files may not grow beyond a few blocks in that process, as on a disk that fills up.
#[cfg(unix)]
#[test]
fn a_full_disk_leaves_no_export_behind() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("exported");
    let output = std::process::Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 16; exec \"$0\" \"$@\""])
        .arg(env!("CARGO_BIN_EXE_fluxo"))
        .args(["export", text(&fixture("hf/gpt2")), "--out", text(&out)])
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("cannot write"), "{stderr}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn the_check_of_an_export_is_repeated() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("exported");
    let model = fixture("hf/llama");
    json(&["export", text(&model), "--out", text(&out), "--opset", "23"]);
    let file = out.join("onnx/model.onnx");
    let check = json(&["export", text(&model), "--check", text(&file)]);
    assert_eq!(check["verification"]["verdict"], "agree");
    assert_eq!(check["source_changed"], false);
    // Beside other weights of the same shapes it does not hold.
    let other = copy("llama");
    let changed = other.path();
    let mut weights = tensors::read(&model.join("model.safetensors")).unwrap();
    let norm = weights.get_mut("model.norm.weight").unwrap();
    let doubled: Vec<f32> = norm.iter::<f32>().map(|value| 2.0 * value).collect();
    *norm = TensorData::new(doubled, norm.shape().to_vec());
    tensors::write(&changed.join("model.safetensors"), &weights).unwrap();
    let output = fluxo(&["export", text(changed), "--check", text(&out), "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let check: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(check["source_changed"], true);
    let nothing = ["export", text(&model), "--check", text(dir.path())];
    refused(&nothing, "holds no exported files");
}

#[test]
fn export_compare_and_run_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("exported");
    let model = fixture("hf/gpt2");
    let export = json(&["export", text(&model), "--out", text(&out)]);
    assert_eq!(export["verification"]["verdict"], "agree");
    assert!(out.join("onnx/model.onnx").is_file() && out.join("config.json").is_file());
    let inputs = fixture("hf/bert/reference.safetensors");
    let report = json(&[
        "compare",
        text(&model),
        text(&out),
        "--on",
        "flex,ndarray,tract,rten",
    ]);
    assert_eq!(report["verdict"], "agree");
    // The referee too.
    assert_eq!(report["runners"].as_array().unwrap().len(), 5);
    for standing in report["standings"].as_array().unwrap() {
        let finding = standing["finding"].as_str().unwrap();
        assert!(["same", "noise"].contains(&finding), "{standing}");
    }
    let pair = &report["pairs"][0];
    for key in [
        "a",
        "b",
        "output",
        "max_abs",
        "max_rel",
        "at",
        "cosine",
        "argmax_agreement",
    ] {
        assert!(pair.get(key).is_some(), "{key}");
    }
    let info = json(&["info", text(&out)]);
    assert_eq!(info["inputs"][0]["name"], "input_ids");
    // bert's inputs have token types, which gpt2 has not.
    let file = dir.path().join("out.safetensors");
    refused(
        &[
            "run",
            text(&out),
            "--inputs",
            text(&inputs),
            "--out",
            text(&file),
            "--on",
            "rten",
        ],
        "token_type_ids",
    );
    assert!(!file.exists());
}

#[test]
fn compare_exits_with_1_where_outputs_differ() {
    let dir = tempfile::tempdir().unwrap();
    let mut inputs = tensors::read(&fixture("hf/llama/reference.safetensors")).unwrap();
    inputs.remove("out.greedy");
    let path = dir.path().join("in.safetensors");
    tensors::write(&path, &inputs).unwrap();
    let model = fixture("hf/llama");
    let args = [
        "compare",
        text(&model),
        "--on",
        "flex",
        "--inputs",
        text(&path),
    ];
    assert_eq!(json(&args)["verdict"], "agree");
    let logits = &inputs["out.logits"];
    let mut values = logits.as_slice::<f32>().unwrap().to_vec();
    values[7] += 0.01;
    inputs.insert(
        "out.logits".into(),
        TensorData::new(values, logits.shape().to_vec()),
    );
    tensors::write(&path, &inputs).unwrap();
    let output = fluxo(&[&args[..], &["--json"]].concat());
    assert_eq!(output.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["verdict"], "differ");
    let logits = report["pairs"]
        .as_array()
        .unwrap()
        .iter()
        .find(|p| p["output"] == "logits" && p["b"] == "file")
        .unwrap();
    assert_eq!(logits["at"], serde_json::json!([0, 0, 7]));
    let standings = report["standings"].as_array().unwrap();
    let file = standings.iter().find(|s| s["runner"] == "file").unwrap();
    assert_eq!(file["finding"], "bug");
    assert_eq!(file["output"], "logits");
}

/// In a process of its own, where no ONNX Runtime is loaded yet.
#[test]
fn a_file_that_is_no_onnx_runtime_is_told_and_no_panic() {
    let dir = tempfile::tempdir().unwrap();
    let library = dir.path().join("libonnxruntime.so");
    std::fs::write(&library, b"not a library").unwrap();
    let with_library = |args: &[&str]| {
        let mut command = Command::new(binary());
        command.args(args).env("ORT_DYLIB_PATH", &library);
        command.output().unwrap()
    };
    let backends = with_library(&["backends", "--json"]);
    let backends: Value = serde_json::from_slice(&backends.stdout).unwrap();
    let ort = &backends["runtimes"][0];
    assert_eq!(
        (ort["name"].as_str(), ort["usable"].as_bool()),
        (Some("ort"), Some(false))
    );
    let model = fixture("hf/bert");
    let compare = with_library(&["compare", text(&model), "--on", "flex,ort"]);
    let stderr = String::from_utf8_lossy(&compare.stderr);
    assert_eq!(compare.status.code(), Some(2), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.contains("pip install -U onnxruntime"), "{stderr}");
}

#[test]
fn inspect_shows_shares_that_sum_to_one() {
    let report = json(&["inspect", text(&fixture("hf/gpt2")), "--ids", "3,1,4,1,5"]);
    let layers = report["layers"].as_array().unwrap();
    let sum: f64 = layers
        .iter()
        .map(|l| l["attention_share"].as_f64().unwrap() + l["feed_forward_share"].as_f64().unwrap())
        .sum::<f64>()
        + report["embedding_share"].as_f64().unwrap();
    assert!((sum - 1.0).abs() < 1e-5, "{sum}"); // taps are float32
}

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

#[test]
fn impossible_configurations_are_refused() {
    let with = |key: &str, value: Value, needle: &str| {
        let dir = copy("llama");
        edit_config(dir.path(), key, value);
        refused(&["generate", text(dir.path()), "--ids", "1"], needle);
    };
    with("model_type", "mamba".into(), "unknown family `mamba`");
    with("model_type", "gpt2".into(), "`n_embd` is missing");
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

#[test]
fn bad_prompts_and_inputs_are_refused() {
    let model = fixture("hf/gpt2");
    let model = text(&model);
    refused(
        &["generate", model, "--ids", "99"],
        "token 99 is not in the vocabulary of 99",
    );
    refused(&["generate", model, "--prompt", "hello"], "tokenizer.json");
    refused(
        &["generate", model, "--ids", "1", "--max-new-tokens", "65"],
        "64 positions",
    );
    refused(
        &["generate", model, "--ids", "1", "--temperature", "nan"],
        "temperature",
    );
    refused(
        &["generate", text(&fixture("hf/bert")), "--ids", "1"],
        "no head for text-generation",
    );
    refused(&["generate", model, "--ids", "1", "--on", "flexx"], "flex");
    let dir = tempfile::tempdir().unwrap();
    let fresh = dir.path().join("fresh");
    json(&["new", "gpt2", "--out", text(&fresh), "--set", "n_layer=1"]);
    refused(
        &["generate", text(&fresh), "--prompt", ""],
        "the prompt is empty",
    );
    refused(
        &["inspect", text(&fresh), "--prompt", ""],
        "the prompt is empty",
    );

    let run = |inputs: Tensors, needle: &str| {
        let path = dir.path().join("in.safetensors");
        tensors::write(&path, &inputs).unwrap();
        refused(
            &[
                "run",
                model,
                "--inputs",
                text(&path),
                "--out",
                text(&dir.path().join("o")),
            ],
            needle,
        );
    };
    let ids = |values: Vec<i64>, shape: [usize; 2]| {
        Tensors::from([("input_ids".to_string(), TensorData::new(values, shape))])
    };
    run(ids(vec![1, -1], [1, 2]), "-1");
    run(ids(vec![1; 65], [1, 65]), "64");
    run(ids(vec![], [1, 0]), "no token");
    run(Tensors::new(), "`input_ids` is missing");
    let mut wrong = ids(vec![1, 2], [1, 2]);
    wrong.insert(
        "attention_mask".into(),
        TensorData::new(vec![1i64; 3], [1, 3]),
    );
    run(wrong, "`attention_mask` is [1, 3]");
    let mut wrong = ids(vec![1, 2], [1, 2]);
    wrong.insert(
        "pixel_values".into(),
        TensorData::new(vec![1f32; 3], [1, 3]),
    );
    run(wrong, "pixel_values");
}

#[test]
fn unwritable_places_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "in the way").unwrap();
    let below = file.join("below");
    let model = fixture("hf/bert");
    refused(&["new", "gpt2", "--out", text(&below)], "below");
    refused(&["export", text(&model), "--out", text(&below)], "file");
    let inputs = fixture("hf/bert/reference.safetensors");
    refused(
        &[
            "run",
            text(&model),
            "--inputs",
            text(&inputs),
            "--out",
            text(&below),
        ],
        "below",
    );
    assert_eq!(std::fs::read(&file).unwrap(), b"in the way");
    if Path::new("/dev/full").exists() {
        // Writing beside needs a folder; a device that is always full has none to spare.
        refused(
            &[
                "run",
                text(&model),
                "--inputs",
                text(&inputs),
                "--out",
                "/dev/full/out",
            ],
            "/dev/full",
        );
    }
}

/// A disk that fills up: writing stops after 8 KiB, as `ulimit -f` has it, with an error and not
/// a signal.
#[cfg(unix)]
#[test]
fn a_full_disk_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let refused = |arguments: &str| {
        let script = format!(
            "trap '' XFSZ; ulimit -f 16; exec {} {arguments}",
            text(&binary())
        );
        let output = Command::new("sh").args(["-c", &script]).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        let left: Vec<_> = walk(dir.path());
        assert!(left.is_empty(), "{left:?}");
    };
    refused(&format!("new gpt2 --out {}", text(&out)));
    let model = fixture("hf/bert");
    refused(&format!("export {} --out {}", text(&model), text(&out)));
    let inputs = fixture("hf/bert/reference.safetensors");
    refused(&format!(
        "run {} --inputs {} --out {} --taps --hidden-states",
        text(&model),
        text(&inputs),
        text(&dir.path().join("out.safetensors"))
    ));
}

/// Every file below `dir`.
#[cfg(unix)]
fn walk(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files.extend(walk(&path)),
            false => files.push(path),
        }
    }
    files
}

#[test]
fn a_run_is_trained_stopped_resumed_exported_and_compared() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("text.txt");
    std::fs::write(
        &data,
        "what one layer writes, the next one reads. ".repeat(100),
    )
    .unwrap();
    let out = dir.path().join("run");
    let common = [
        "--data",
        text(&data),
        "--set",
        "sequence_length=32",
        "--set",
        "model.n_layer=1",
    ];
    let start = [
        "train",
        "gpt2",
        "--task",
        "text-generation",
        "--out",
        text(&out),
        "--set",
        "steps=12",
    ];
    let first = json(&[&start[..], &common].concat());
    let loss = |summary: &Value, key: &str| summary[key].as_f64().unwrap();
    assert!(loss(&first, "last_loss") < loss(&first, "first_loss"));
    refused(&[&start[..], &common].concat(), "resume");
    let more = json(&[
        "train",
        "--resume",
        "--out",
        text(&out),
        "--set",
        "steps=24",
    ]);
    assert_eq!(more["steps"], 24);
    assert!(loss(&more, "last_loss") < loss(&first, "last_loss"));
    let export = dir.path().join("export");
    json(&["export", text(&out), "--out", text(&export)]);
    let report = json(&[
        "compare",
        text(&out),
        text(&export),
        "--on",
        "flex,ndarray,tract,rten",
    ]);
    assert_eq!(report["verdict"], "agree");
    let written = json(&[
        "generate",
        text(&out),
        "--prompt",
        "what",
        "--max-new-tokens",
        "5",
    ]);
    assert_eq!(written["ids"].as_array().unwrap().len(), 5);
    assert!(written["text"].is_string());
    refused(
        &["train", "gpt3", "--data", text(&data), "--out", "x"],
        "known families",
    );
    refused(
        &["train", "--out", text(&dir.path().join("none")), "--resume"],
        "none",
    );
}

/// One batch of prompts gives what each gives alone; beams, draws and the cache are flags.
#[test]
fn prompts_are_written_after_in_batches() {
    let model = fixture("hf/gpt2");
    let generate = |flags: &[&str]| {
        let fixed = [
            "generate",
            text(&model),
            "--max-new-tokens",
            "5",
            "--ignore-end",
        ];
        json(&[&fixed, flags].concat())
    };
    let both = generate(&["--ids", "5,6,7,8", "--ids", "9,10"]);
    for (row, ids) in ["5,6,7,8", "9,10"].into_iter().enumerate() {
        let alone = generate(&["--ids", ids]);
        assert_eq!(both["rows"][row]["ids"], alone["ids"]);
        assert_eq!(alone, generate(&["--ids", ids, "--no-cache"]));
        assert_eq!(
            generate(&["--ids", ids, "--beams", "3"])["ids"]
                .as_array()
                .unwrap()
                .len(),
            5
        );
    }
    let drawn = |seed| {
        generate(&[
            "--ids",
            "5,6",
            "--temperature",
            "3",
            "--min-p",
            "0.01",
            "--seed",
            seed,
        ])
    };
    assert_eq!(drawn("1"), drawn("1"));
    assert_ne!(drawn("1"), drawn("2"));
    refused(
        &["generate", text(&model), "--ids", "1", "--beams", "0"],
        "beam",
    );
    let output = fluxo(&["generate", text(&model), "--ids", "1", "--dtype", "f8"]);
    assert_eq!(output.status.code(), Some(2));
    refused(
        &["generate", text(&fixture("hf/vit")), "--ids", "1"],
        "text-generation",
    );
}

/// An image or a sound is prepared as the checkpoint's own file says.
#[test]
fn images_and_sounds_are_inputs() {
    let out = tempfile::tempdir().unwrap();
    let file = out.path().join("out.safetensors");
    let vit = copy("vit");
    let image = fixture("images/rgb.png");
    let args = [
        "run",
        text(vit.path()),
        "--image",
        text(&image),
        "--out",
        text(&file),
    ];
    refused(&args, "preprocessor_config.json");
    let processor = serde_json::json!({
        "image_processor_type": "ViTImageProcessor", "size": {"height": 16, "width": 16},
        "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5],
    });
    std::fs::write(
        vit.path().join("preprocessor_config.json"),
        processor.to_string(),
    )
    .unwrap();
    json(&args);
    let logits = &tensors::read(&file).unwrap()["logits"];
    assert_eq!(logits.shape().to_vec(), [1, 5]);
    let broken = out.path().join("broken.png");
    std::fs::write(&broken, &std::fs::read(&image).unwrap()[..60]).unwrap();
    refused(
        &[
            "run",
            text(vit.path()),
            "--image",
            text(&broken),
            "--out",
            text(&file),
        ],
        "broken.png",
    );

    let whisper = copy("whisper");
    let processor = serde_json::json!({
        "feature_extractor_type": "WhisperFeatureExtractor", "feature_size": 16,
        "sampling_rate": 16000, "hop_length": 160, "n_fft": 400, "chunk_length": 1,
        "n_samples": 6400, "nb_max_frames": 40,
    });
    std::fs::write(
        whisper.path().join("preprocessor_config.json"),
        processor.to_string(),
    )
    .unwrap();
    let rate = fixture("audio/44100.wav");
    refused(
        &["generate", text(whisper.path()), "--sound", text(&rate)],
        "16000",
    );
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
