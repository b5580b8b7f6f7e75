//! `fluxo new`: a checkpoint of a seed.

use crate::common::*;

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
