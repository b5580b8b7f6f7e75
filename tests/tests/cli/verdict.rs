//! `fluxo compare`: its verdict, in the exit code too.

use burn::tensor::TensorData;
use fluxo_models::tensors;
use fluxo_tests::fixture;
use serde_json::Value;

use crate::common::*;

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
