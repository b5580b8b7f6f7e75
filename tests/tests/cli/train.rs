//! `fluxo train`: a run from its start to the export of what it learned.

use serde_json::Value;

use crate::common::*;

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
