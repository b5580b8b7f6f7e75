//! `fluxo models` and `fluxo backends`: what there is, and why something is not.

use assert_cmd::Command;
use fluxo_tests::fixture;
use serde_json::Value;

use crate::common::*;

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
