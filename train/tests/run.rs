//! Whole runs on flex: stopping and resuming, kills, and what is refused.
#![allow(clippy::unwrap_used, missing_docs)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use burn::tensor::Device;
use fluxo_models::tensors;
use fluxo_train::{Error, RunOptions, Summary, TrainConfig, train};
use serde_json::Value;
use tempfile::TempDir;

/// Enough of a language to learn something in a few steps.
fn text(dir: &Path) -> PathBuf {
    let path = dir.join("text.txt");
    let lines: String = (0..200)
        .map(|i| {
            format!(
                "the {} stream carries what layer {i} wrote into it\n",
                i % 7
            )
        })
        .collect();
    fs::write(&path, lines).unwrap();
    path
}

fn config(dir: &Path, out: &str) -> TrainConfig {
    let mut c = TrainConfig::new("gpt2", vec![text(dir)], &dir.join(out));
    for (key, value) in [
        ("model.n_layer", "2"),
        ("model.n_embd", "32"),
        ("model.n_head", "2"),
        ("steps", "6"),
        ("batch_size", "3"),
        ("sequence_length", "16"),
        ("accumulation", "2"),
        ("eval_every", "3"),
        ("eval_batches", "2"),
        ("checkpoint_every", "2"),
        ("log_every", "1"),
    ] {
        c.set(key, value).unwrap();
    }
    c
}

fn go(config: &TrainConfig, resume: bool, stop: bool) -> Result<Summary, Error> {
    // Burn draws first weights from one generator for the whole process, so two runs that start
    // at once would take each other's numbers.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let stop = Arc::new(AtomicBool::new(stop));
    train(
        config,
        &Device::flex(),
        &RunOptions {
            resume,
            quiet: true,
            stop,
        },
    )
}

/// The lines of `metrics.jsonl` without what the clock decides.
fn metrics(out: &Path) -> Vec<Value> {
    let text = fs::read_to_string(out.join("metrics.jsonl")).unwrap();
    let line = |line: &str| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        let line = line.as_object_mut().unwrap();
        line.remove("seconds");
        line.remove("tokens_per_second");
        Value::Object(line.clone())
    };
    text.lines().map(line).collect()
}

/// Bit for bit: weights, moments, best weights, and everything measured.
fn same_run(a: &Path, b: &Path) {
    for file in [
        "model.safetensors",
        "last/model.safetensors",
        "last/optimizer.safetensors",
    ] {
        let (x, y) = (
            tensors::read(&a.join(file)).unwrap(),
            tensors::read(&b.join(file)).unwrap(),
        );
        assert!(x.keys().eq(y.keys()));
        for (name, x) in &x {
            assert!(x.as_bytes() == y[name].as_bytes(), "{file}: {name}");
        }
    }
    assert_eq!(metrics(a), metrics(b));
    assert_eq!(
        fs::read(a.join("config.json")).unwrap(),
        fs::read(b.join("config.json")).unwrap()
    );
}

fn dir() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn resumed_after_every_step_gives_the_same_run_bit_for_bit() {
    let dir = dir();
    let straight = go(&config(dir.path(), "straight"), false, false).unwrap();
    let c = config(dir.path(), "resumed");
    // The flag stands from the start, so each call does one step and saves.
    for step in 1..=6 {
        let summary = go(&c, step > 1, true).unwrap();
        assert_eq!((summary.steps, summary.stopped), (step, step < 6));
    }
    same_run(&dir.path().join("straight"), &dir.path().join("resumed"));
    assert_eq!(straight.losses.len(), 6);
    assert_eq!(
        straight.eval_losses.iter().map(|l| l.0).collect::<Vec<_>>(),
        [3, 6]
    );
    assert_eq!(straight.tokens, 6 * 3 * 16 * 2);
    assert_eq!(straight.first_loss, straight.losses[0].1);
    assert!(straight.last_loss < straight.first_loss);

    let finished = go(&c, true, false).unwrap();
    assert_eq!(
        (finished.losses, finished.best_eval_loss),
        (straight.losses, straight.best_eval_loss)
    );
    assert_eq!((finished.steps, finished.stopped), (6, false));
}

#[test]
fn a_kill_at_any_file_of_a_save_leaves_a_run_that_ends_the_same() {
    let dir = dir();
    go(&config(dir.path(), "straight"), false, false).unwrap();
    let c = config(dir.path(), "killed");
    let out = &c.out;
    let last = out.join("last");
    go(&c, false, true).unwrap();

    // Killed while the new folder was being filled, and after steps that were not saved.
    fs::create_dir(out.join("last.new")).unwrap();
    fs::write(out.join("last.new/model.safetensors"), "half").unwrap();
    let mut lines = fs::read_to_string(out.join("metrics.jsonl")).unwrap();
    lines.push_str("{\"step\":2,\"loss\":9.0,\"learning_rate\":1.0,\"gradient_norm\":1.0,");
    lines.push_str("\"tokens_per_second\":1.0,\"seconds\":1.0}\n{\"step\":3,\"lo");
    fs::write(out.join("metrics.jsonl"), lines).unwrap();
    go(&c, true, true).unwrap();

    // Killed between the two renames.
    fs::rename(&last, out.join("last.old")).unwrap();
    fs::create_dir(out.join("last.new")).unwrap();
    go(&c, true, true).unwrap();

    // Killed before the old folder was removed.
    fs::create_dir(out.join("last.old")).unwrap();
    fs::write(out.join("last.old/state.json"), "{}").unwrap();
    go(&c, true, false).unwrap();
    same_run(&dir.path().join("straight"), out);

    // Killed before anything was saved.
    let c = config(dir.path(), "early");
    go(&c, false, true).unwrap();
    fs::remove_dir_all(c.out.join("last")).unwrap();
    fs::remove_file(c.out.join("model.safetensors")).unwrap();
    go(&c, true, false).unwrap();
    same_run(&dir.path().join("straight"), &c.out);
    let left: Vec<_> = fs::read_dir(&c.out)
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(left.len(), 6, "{left:?}");
}

#[test]
fn accumulated_passes_average_to_the_one_large_batch() {
    let dir = dir();
    let mut parts = config(dir.path(), "parts");
    parts.set("steps", "1").unwrap();
    let mut whole = parts.clone();
    whole.out = dir.path().join("whole");
    whole.batch_size = 6;
    whole.accumulation = 1;
    let (a, b) = (
        go(&parts, false, false).unwrap(),
        go(&whole, false, false).unwrap(),
    );
    // Sums in another order: float32 rounding of a loss near 5.5, over 96 tokens.
    assert!(
        (a.first_loss - b.first_loss).abs() < 4e-6,
        "{} {}",
        a.first_loss,
        b.first_loss
    );
    let norm = |out: &Path| metrics(out)[0]["gradient_norm"].as_f64().unwrap();
    let (a, b) = (norm(&parts.out), norm(&whole.out));
    assert!((a - b).abs() / b < 1e-5, "{a} {b}");
}

#[test]
fn the_run_folder_is_a_checkpoint_and_says_what_was_done() {
    let dir = dir();
    let c = config(dir.path(), "run");
    let summary = go(&c, false, false).unwrap();
    for folder in ["", "last"] {
        let (model, report) =
            fluxo_models::Model::load(&c.out.join(folder), None, &Device::flex()).unwrap();
        assert_eq!(model.config().vocab_size(), 256);
        assert_eq!(model.text().unwrap().vocab_size(), 256);
        drop(report);
    }
    let resolved = TrainConfig::of_run(&c.out).unwrap();
    assert_eq!(resolved.warmup_steps, Some(0));
    assert!(
        fs::read_to_string(c.out.join("loss.svg"))
            .unwrap()
            .contains("<polyline")
    );
    let json = serde_json::to_value(&summary).unwrap();
    assert_eq!(json["steps"], 6);
}

#[test]
fn what_cannot_be_is_refused_and_nothing_is_touched() {
    let dir = dir();
    let c = config(dir.path(), "run");
    let error = go(&c, true, false).unwrap_err();
    assert!(matches!(error, Error::NothingToResume(_)), "{error}");
    assert!(!c.out.exists());

    let mut bad = c.clone();
    bad.set("sequence_length", "100000").unwrap();
    assert!(matches!(
        go(&bad, false, false).unwrap_err(),
        Error::Data(_)
    ));
    let mut bad = c.clone();
    bad.set("model.n_positions", "8").unwrap();
    let error = go(&bad, false, false).unwrap_err().to_string();
    assert!(
        error.contains("sequence_length = 16 is over the model's 8 positions"),
        "{error}"
    );
    let mut bad = c.clone();
    bad.family = "bert".into();
    bad.model.clear();
    let error = go(&bad, false, false).unwrap_err().to_string();
    assert!(
        error.contains("bert has no head for text-generation"),
        "{error}"
    );
    let mut bad = c.clone();
    bad.task = "feature-extraction".into();
    assert!(matches!(
        go(&bad, false, false).unwrap_err(),
        Error::Config(_)
    ));
    assert!(!c.out.exists());

    go(&c, false, true).unwrap();
    let before = fs::read(c.out.join("last/model.safetensors")).unwrap();
    let error = go(&c, false, false).unwrap_err();
    assert!(matches!(error, Error::Exists(_)), "{error}");
    let mut other = c.clone();
    other.set("model.n_layer", "3").unwrap();
    let error = go(&other, true, false).unwrap_err();
    assert!(
        matches!(error, Error::Mismatch { key: "model", .. }),
        "{error}"
    );
    assert!(!error.to_string().contains('\n'), "{error}");
    fs::write(&c.data[0], "another text altogether, ".repeat(400)).unwrap();
    let error = go(&c, true, false).unwrap_err();
    assert!(matches!(error, Error::Mismatch { .. }), "{error}");
    assert_eq!(
        fs::read(c.out.join("last/model.safetensors")).unwrap(),
        before
    );
}

#[test]
fn damaged_checkpoints_are_named() {
    let dir = dir();
    let c = config(dir.path(), "run");
    go(&c, false, true).unwrap();
    for file in ["optimizer.safetensors", "state.json", "model.safetensors"] {
        let path = c.out.join("last").join(file);
        let whole = fs::read(&path).unwrap();
        for length in [0, 7, whole.len() / 2, whole.len() - 1] {
            fs::write(&path, &whole[..length]).unwrap();
            let error = go(&c, true, true).unwrap_err().to_string();
            assert!(
                error.contains(file) && !error.contains('\n'),
                "{length}: {error}"
            );
        }
        fs::write(&path, &whole).unwrap();
    }
    go(&c, true, true).unwrap();
}

#[test]
fn a_loss_that_is_no_number_stops_the_run_and_keeps_what_was_good() {
    let dir = dir();
    let c = config(dir.path(), "run");
    go(&c, false, true).unwrap();
    let good = |file: &str| fs::read(c.out.join(file)).unwrap();
    let before = [good("model.safetensors"), good("last/model.safetensors")];
    let mut wild = c.clone();
    wild.set("learning_rate", "1e38").unwrap();
    wild.set("checkpoint_every", "100").unwrap();
    wild.set("eval_every", "100").unwrap();
    match go(&wild, true, false).unwrap_err() {
        Error::NotFinite { step, saved, .. } => assert!(step > 1 && saved == 1, "{step} {saved}"),
        other => panic!("{other}"),
    }
    assert_eq!(
        [good("model.safetensors"), good("last/model.safetensors")],
        before
    );
    let summary = go(&c, true, false).unwrap();
    assert!(summary.last_loss.is_finite());
}

#[test]
fn a_folder_that_cannot_be_made_is_an_error() {
    let dir = dir();
    let mut c = config(dir.path(), "run");
    fs::write(dir.path().join("file"), "").unwrap();
    c.out = dir.path().join("file/run");
    let error = go(&c, false, false).unwrap_err().to_string();
    assert!(error.contains("file/run"), "{error}");
}

#[test]
fn a_checkpoint_that_cannot_be_written_is_an_error_and_the_run_goes_on_afterwards() {
    let dir = dir();
    go(&config(dir.path(), "straight"), false, false).unwrap();
    let c = config(dir.path(), "run");
    go(&c, false, true).unwrap();
    // A file where the folder has to be: permissions would not stop root.
    fs::write(c.out.join("last.new"), "in the way").unwrap();
    let error = go(&c, true, true).unwrap_err().to_string();
    assert!(error.contains("last.new"), "{error}");
    fs::remove_file(c.out.join("last.new")).unwrap();
    go(&c, true, false).unwrap();
    same_run(&dir.path().join("straight"), &c.out);
}

#[test]
fn a_tokenizer_travels_with_the_run() {
    let dir = dir();
    let mut c = config(dir.path(), "run");
    let tokenizer = dir.path().join("tokenizer.json");
    let words = r#"{"?": 0, "the": 1, "stream": 2, "carries": 3, "what": 4, "layer": 5}"#;
    let json = format!(
        r#"{{"version": "1.0", "added_tokens": [], "pre_tokenizer": {{"type": "Whitespace"}},
            "model": {{"type": "WordLevel", "unk_token": "?", "vocab": {words}}}}}"#
    );
    fs::write(&tokenizer, json).unwrap();
    c.tokenizer = Some(tokenizer);
    go(&c, false, true).unwrap();
    let summary = go(&c, true, false).unwrap();
    assert_eq!(summary.steps, 6);
    for folder in ["", "last"] {
        let dir = c.out.join(folder);
        let (model, _) = fluxo_models::Model::load(&dir, None, &Device::flex()).unwrap();
        assert_eq!(model.config().vocab_size(), 6);
        assert_eq!(model.text().unwrap().encode("what stream").unwrap(), [4, 2]);
    }
}
