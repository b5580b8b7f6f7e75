//! `fluxo bench`: passes, writing and updates, in turn.

use fluxo_tests::fixture;

use crate::common::*;

#[test]
fn a_checkpoint_is_timed_on_every_backend_that_is_named() {
    let model = fixture("hf/gpt2");
    let short = ["--runs", "3", "--sequence", "8", "--new-tokens", "4"];
    let on = ["bench", text(&model), "--on", "flex,ndarray", "--train"];
    let report = json(&[&on[..], &short].concat());
    let rows = report["rows"].as_array().unwrap();
    let names: Vec<_> = rows
        .iter()
        .map(|row| row["runner"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["flex", "ndarray"]);
    for row in rows {
        for (what, tokens) in [("forward", 8.0), ("decoding", 4.0), ("training", 8.0)] {
            let found = &row[what];
            let ms = |key: &str| found[key].as_f64().unwrap();
            assert!(ms("lower_ms") <= ms("median_ms") && ms("median_ms") <= ms("upper_ms"));
            let tokens = tokens / ms("median_ms") * 1e3;
            assert!(
                (ms("tokens_per_second") / tokens - 1.0).abs() < 1e-9,
                "{found}"
            );
            assert!(found["launches"].is_null() && found["device_bytes"].is_null());
        }
    }
    assert_eq!(report["skipped"].as_array().unwrap().len(), 0);
}

#[test]
fn an_encoder_writes_nothing_and_what_cannot_learn_is_said() {
    let model = fixture("hf/vit");
    let report = json(&[
        "bench",
        text(&model),
        "--on",
        "flex",
        "--train",
        "--runs",
        "1",
    ]);
    let row = &report["rows"][0];
    assert!(row["forward"]["median_ms"].is_number());
    assert!(row["decoding"].is_null() && row["training"].is_null());
    let skipped = report["skipped"][0].as_str().unwrap();
    let reason = "updates are measured for text-generation and fill-mask; this is a vit model";
    assert!(
        skipped.starts_with("flex, training: ") && skipped.contains(reason),
        "{skipped}"
    );
}

#[test]
fn what_does_not_fit_together_is_one_line() {
    let model = fixture("hf/gpt2");
    let model = text(&model);
    for (on, message) in [
        (
            "flex:unfused",
            "backend `flex:unfused`: `flex` fuses nothing anyway; write `flex`",
        ),
        ("flx", "unknown runner `flx`"),
    ] {
        refused(&["bench", model, "--on", on], message);
    }
    let long = ["bench", model, "--on", "flex", "--sequence", "9999"];
    refused(&long, "the model reads 64 positions at most; shorten it");
}
