//! The binary, what it prints, and copies of fixtures to break.

use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;
use burn::tensor::TensorData;
use fluxo_models::tensors;
use fluxo_tests::fixture;
use serde_json::Value;

pub fn fluxo(args: &[&str]) -> Output {
    let binary = binary();
    Command::new(binary).args(args).output().unwrap()
}

pub fn binary() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_fluxo"))
}

pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

pub fn json(args: &[&str]) -> Value {
    let output = fluxo(&[args, &["--json"]].concat());
    assert!(
        output.status.success(),
        "{args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Exit code 2 and exactly one line on stderr that says `needle`; nothing on stdout. An export on a
/// busy machine may take long enough to say before what it is at.
pub fn refused(args: &[&str], needle: &str) {
    let output = fluxo(args);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{args:?}: {stderr}");
    let at = |line: &&str| args[0] == "export" && line.starts_with("reading ");
    let lines = stderr.lines().skip_while(at).count();
    assert_eq!(lines, 1, "{args:?}: {stderr}");
    assert!(stderr.contains(needle), "{args:?}: {stderr}");
    assert!(output.stdout.is_empty(), "{args:?}");
}

/// A copy of a fixture to break.
pub fn copy(family: &str) -> tempfile::TempDir {
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

/// A GPT-2 with the weights of `module` in its last layer's feed-forward network times `factor`.
pub fn scaled(module: &str, factor: f32) -> tempfile::TempDir {
    let dir = copy("gpt2");
    let path = dir.path().join("model.safetensors");
    let mut weights = tensors::read(&path).unwrap();
    let end = format!("h.1.mlp.{module}.weight");
    let name = weights.keys().find(|name| name.ends_with(&end));
    let name = name.unwrap().clone();
    let moved: Vec<f32> = weights[&name].iter::<f32>().map(|w| w * factor).collect();
    let shape = weights[&name].shape().to_vec();
    weights.insert(name, TensorData::new(moved, shape));
    tensors::write(&path, &weights).unwrap();
    dir
}

/// A GPT-2 whose last layer's feed-forward network is off by a hundredth, and the right one.
pub fn wrong() -> (tempfile::TempDir, PathBuf) {
    (scaled("c_fc", 1.01), fixture("hf/gpt2"))
}

/// `extm.onnx` in `dir`: a GPT-2 that names nodes which no runtime has.
pub fn unknown_nodes(dir: &Path) -> PathBuf {
    let whole = std::fs::read(fixture("torch/gpt2.onnx")).unwrap();
    let (from, to) = (b"LayerNormalization", b"LayerAbnormization");
    assert_eq!(from.len(), to.len());
    let mut bytes = whole.clone();
    for at in 0..whole.len() - from.len() {
        if &whole[at..at + from.len()] == from {
            bytes[at..at + to.len()].copy_from_slice(to);
        }
    }
    assert_ne!(bytes, whole);
    let file = dir.join("extm.onnx");
    std::fs::write(&file, bytes).unwrap();
    file
}
