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
    let assessments = report["standings"].as_array().unwrap();
    let file = assessments.iter().find(|s| s["runner"] == "file").unwrap();
    assert_eq!(file["finding"], "bug");
    assert_eq!(file["output"], "logits");
}

/// The exit code, and the last line of stdout; with code 2 stderr has it too.
fn ended(args: &[&str]) -> (Option<i32>, String) {
    let output = fluxo(args);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    let last = said.lines().last().unwrap_or_default().to_string();
    if output.status.code() == Some(2) {
        assert_eq!(error, format!("error: {last}\n"), "{args:?}");
    }
    let json = fluxo(&[args, &["--json"]].concat());
    assert_eq!(json.status.code(), output.status.code(), "{args:?}");
    let report: Value = serde_json::from_slice(&json.stdout).unwrap();
    let (outcome, reason) = last.split_once(": ").unwrap();
    assert_eq!(report["conclusion"]["outcome"], outcome, "{args:?}");
    assert_eq!(report["conclusion"]["reason"], reason, "{args:?}");
    (output.status.code(), last)
}

#[test]
fn the_last_line_says_which_of_three() {
    let dir = tempfile::tempdir().unwrap();
    let (wrong, right) = wrong();
    let (broken, file) = (unknown_nodes(dir.path()), fixture("torch/gpt2.onnx"));
    let (wrong, right) = (text(wrong.path()), text(&right));
    let (broken, file) = (text(&broken), text(&file));
    for (args, code, start) in [
        (&[right, file, "--on", "flex,tract"][..], 0, "agree: "),
        (&[right, wrong, "--on", "flex"], 1, "differ: "),
        // A runner that was named and fails, alone and beside others that agree or differ.
        (
            &[right, file, broken, "--on", "flex,tract"],
            1,
            "could not run: extm:tract: ",
        ),
        (
            &[right, file, broken, "--on", "flex,tract", "--isolate"],
            1,
            "could not run: extm:tract: ",
        ),
        (
            &[right, file, broken, "--on", "flex,tract", "--locate"],
            1,
            "could not run: extm:tract: ",
        ),
        (&[right, wrong, broken, "--on", "flex,tract"], 1, "differ: "),
        // Who was not named is passed over, but not where nobody is left.
        (&[right, broken], 2, "could not run: extm: no runner"),
        (
            &[right, "--on", "flex"],
            2,
            "could not run: nothing to compare: ",
        ),
    ] {
        let (ended, last) = ended(&[&["compare"], args].concat());
        assert_eq!(ended, Some(code), "{args:?}: {last}");
        assert!(last.starts_with(start), "{args:?}: {last}");
    }
    // What is no runner here is refused, whoever else there is.
    for isolated in [&[][..], &["--isolate"]] {
        let args = [&["compare", right, "--on", "flex,ndarrray"], isolated].concat();
        refused(&args, "unknown runner `ndarrray`");
    }
}
