//! `fluxo export`: its files, their forms, and the check of them.

use burn::tensor::TensorData;
use fluxo_models::tensors;
use fluxo_tests::fixture;
use serde_json::Value;

use crate::common::*;

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
    for assessment in report["standings"].as_array().unwrap() {
        let finding = assessment["finding"].as_str().unwrap();
        assert!(["same", "noise"].contains(&finding), "{assessment}");
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
