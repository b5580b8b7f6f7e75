//! Exported folders where a checkpoint can stand: `run`, `generate`, `inspect`.

use std::path::{Path, PathBuf};

use fluxo_models::tensors;
use fluxo_tests::fixture;
use serde_json::Value;

use crate::common::*;

/// `checkpoint` exported into `dir` with `flags`.
fn export(checkpoint: &Path, dir: &Path, flags: &[&str]) -> PathBuf {
    let name = checkpoint.file_name().unwrap().to_str().unwrap();
    let out = dir.join(format!("{name}{}", flags.concat()));
    let args = ["export", text(checkpoint), "--out", text(&out)];
    json(&[&args, flags].concat());
    out
}

/// A new whisper that hears a second, with the processor that transformers 5 writes beside it.
fn whisper(dir: &Path) -> PathBuf {
    let checkpoint = dir.join("whisper");
    json(&[
        "new",
        "whisper",
        "--out",
        text(&checkpoint),
        "--set",
        "init_std=0.1",
    ]);
    let from = fixture("folders/whisper/processor_config.json");
    std::fs::copy(from, checkpoint.join("processor_config.json")).unwrap();
    checkpoint
}

#[test]
fn what_lies_in_folders_beside_the_model_is_exported_too() {
    let dir = tempfile::tempdir().unwrap();
    let checkpoint = copy("bert");
    for file in [
        "modules.json",
        "1_Pooling/config.json",
        "2_Dense/model.safetensors",
    ] {
        let to = checkpoint.path().join(file);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(fixture("folders/sentences").join(file), to).unwrap();
    }
    let out = dir.path().join("out");
    json(&["export", text(checkpoint.path()), "--out", text(&out)]);
    for file in [
        "modules.json",
        "1_Pooling/config.json",
        "2_Dense/model.safetensors",
    ] {
        let wanted = std::fs::read(fixture("folders/sentences").join(file)).unwrap();
        assert_eq!(std::fs::read(out.join(file)).unwrap(), wanted, "{file}");
    }
}

fn generated(model: &Path, flags: &[&str]) -> Value {
    let fixed = [
        "generate",
        text(model),
        "--max-new-tokens",
        "8",
        "--ignore-end",
    ];
    json(&[&fixed, flags].concat())
}

#[test]
fn decoders_write_from_their_files_as_from_their_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let checkpoint = fixture("hf/gpt2");
    let kept = export(&checkpoint, dir.path(), &[]);
    let whole = export(&checkpoint, dir.path(), &["--no-cache"]);
    for flags in [
        &["--ids", "5,6,7,8"][..],
        &["--ids", "5,6,7,8", "--ids", "9,10"],
        &["--ids", "5,6,7,8", "--ids", "9,10", "--beams", "3"],
        &["--ids", "5,6,7,8", "--no-cache"],
        &["--ids", "5,6", "--temperature", "1.5", "--seed", "3"],
    ] {
        let wanted = generated(&checkpoint, flags);
        assert_eq!(generated(&kept, flags), wanted, "{flags:?}");
        assert_eq!(generated(&whole, flags), wanted, "{flags:?}");
    }
    // A file of the folder stands for it.
    let file = generated(&kept.join("onnx/model.onnx"), &["--ids", "5,6,7"]);
    assert_eq!(file, generated(&checkpoint, &["--ids", "5,6,7"]));
    refused(
        &["generate", text(&kept), "--ids", "5", "--on", "flex"],
        "name a runtime",
    );
    refused(
        &["generate", text(&kept), "--ids", "5", "--dtype", "f16"],
        "--dtype is for checkpoints",
    );
    let fixed = export(
        &checkpoint,
        dir.path(),
        &["--no-cache", "--static", "sequence=4"],
    );
    refused(
        &["generate", text(&fixed), "--ids", "5"],
        "export it without a fixed length",
    );
}

#[test]
fn encoder_decoders_write_from_their_files_as_from_their_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    for family in ["t5", "bart"] {
        let checkpoint = fixture(&format!("hf/{family}"));
        for export in [
            export(&checkpoint, dir.path(), &[]),
            export(&checkpoint, dir.path(), &["--no-cache"]),
        ] {
            for flags in [
                &["--ids", "5,6,7,8"][..],
                &["--ids", "5,6,7,8", "--ids", "9,10"],
                &["--ids", "5,6,7,8", "--ids", "9,10", "--beams", "2"],
            ] {
                let wanted = generated(&checkpoint, flags);
                assert_eq!(generated(&export, flags), wanted, "{}", export.display());
            }
        }
    }
}

#[test]
fn sounds_are_heard_by_exported_files() {
    let dir = tempfile::tempdir().unwrap();
    let checkpoint = whisper(dir.path());
    let exported = export(
        &checkpoint,
        dir.path(),
        &["--target", "any", "--opset", "18"],
    );
    assert!(exported.join("preprocessor_config.json").is_file());
    let sound = fixture("audio/8.wav");
    let flags = ["--sound", text(&sound)];
    let written = generated(&checkpoint, &flags);
    assert_eq!(written["ids"].as_array().unwrap().len(), 8);
    assert_eq!(generated(&exported, &flags), written);
    let answers =
        |model: &Path| json(&["run", text(model), "--sound", text(&sound)])["answers"].take();
    let heard = answers(&checkpoint);
    let first = &heard[0]["ids"].as_array().unwrap()[..8];
    assert_eq!(first, written["ids"].as_array().unwrap());
    near(&heard, &answers(&exported), "whisper");
}

/// What a checkpoint's stream shows, its exported taps show: with norms on the branches, behind the
/// sums (whose gains are read out of the file), and of a decoder that has an encoder.
#[test]
fn streams_are_seen_in_exported_taps() {
    let dir = tempfile::tempdir().unwrap();
    for family in ["gpt2", "bert", "t5"] {
        let checkpoint = fixture(&format!("hf/{family}"));
        let exported = export(&checkpoint, dir.path(), &["--taps"]);
        let seen = |model: &Path| json(&["inspect", text(model), "--ids", "3,1,4,1,5"]);
        let (ours, theirs) = (seen(&checkpoint), seen(&exported));
        near(&ours, &theirs, family);
        let plain = export(&checkpoint, dir.path(), &[]);
        refused(
            &["inspect", text(&plain), "--ids", "3,1"],
            "export the checkpoint with --taps",
        );
    }
}

/// The same document, numbers up to the rounding of two runtimes.
fn near(a: &Value, b: &Value, place: &str) {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            assert!(a.keys().eq(b.keys()), "{place}");
            a.iter()
                .for_each(|(key, value)| near(value, &b[key], &format!("{place}.{key}")));
        }
        (Value::Array(a), Value::Array(b)) => {
            assert_eq!(a.len(), b.len(), "{place}");
            a.iter().zip(b).for_each(|(a, b)| near(a, b, place));
        }
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            assert!((a - b).abs() <= 2e-5 * a.abs().max(1.0), "{place}: {a} {b}");
        }
        _ => assert_eq!(a, b, "{place}"),
    }
}

/// Files in float16 of models that leave its range where transformers does not: in every runtime
/// that is here finite, and transformers' own decisions in float16.
#[test]
fn halves_of_t5_and_whisper_stay_finite_in_their_files() {
    let dir = tempfile::tempdir().unwrap();
    for case in ["t5", "encoder", "clamp", "whisper"] {
        let checkpoint = fixture(&format!("reports/t5-half/{case}"));
        let reference = tensors::read(&checkpoint.join("reference.safetensors")).unwrap();
        let exported = export(&checkpoint, dir.path(), &["--dtype", "f16"]);
        let inputs = dir.path().join("in.safetensors");
        let mut given = reference.clone();
        given.retain(|name, _| name.starts_with("in."));
        tensors::write(&inputs, &given).unwrap();
        let statuses = fluxo_compare::open::runtimes();
        for runtime in statuses.iter().filter(|status| status.usable) {
            let out = dir.path().join("out.safetensors");
            let args = [
                "run",
                text(&exported),
                "--inputs",
                text(&inputs),
                "--out",
                text(&out),
            ];
            let document = json(&[&args[..], &["--on", runtime.name]].concat());
            assert_eq!(document["not_finite"], serde_json::json!([]), "{case}");
            let found = tensors::read(&out).unwrap();
            for (name, wanted) in reference.iter() {
                let Some(name) = name.strip_prefix("half.") else {
                    continue;
                };
                let width = *wanted.shape().to_vec().last().unwrap();
                let decided = |data: &burn::tensor::TensorData| -> Vec<usize> {
                    let values: Vec<f32> = data.iter::<f32>().collect();
                    let best = |row: &[f32]| (0..width).max_by(|a, b| row[*a].total_cmp(&row[*b]));
                    values.chunks(width).map(|row| best(row).unwrap()).collect()
                };
                assert_eq!(
                    decided(&found[name]),
                    decided(wanted),
                    "{case} {}",
                    runtime.name
                );
            }
        }
    }
}

/// A GPT-2 that leaves the range of float16 in its second layer.
fn overflowing() -> tempfile::TempDir {
    scaled("c_proj", 1e6)
}

#[test]
fn outputs_that_are_not_finite_are_said() {
    let model = overflowing();
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out.safetensors");
    let inputs = fixture("hf/gpt2/reference.safetensors");
    let args = [
        "run",
        text(model.path()),
        "--inputs",
        text(&inputs),
        "--out",
        text(&out),
        "--json",
    ];
    let run = |dtype: &str| fluxo(&[&args[..], &["--dtype", dtype]].concat());
    let half = run("f16");
    let said = String::from_utf8_lossy(&half.stderr);
    assert_eq!(half.status.code(), Some(1), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(
        said.contains("`logits` is not finite") && said.contains("--dtype f32 or bf16"),
        "{said}"
    );
    let document: Value = serde_json::from_slice(&half.stdout).unwrap();
    assert_eq!(document["not_finite"][0]["output"], "logits");
    // The outputs are there all the same.
    assert!(
        tensors::read(&out).unwrap()["logits"]
            .iter::<f32>()
            .any(|v| v.is_nan())
    );
    for dtype in ["f32", "bf16"] {
        let output = run(dtype);
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(document["not_finite"], serde_json::json!([]));
    }
    refused(
        &[
            "generate",
            text(model.path()),
            "--ids",
            "5",
            "--dtype",
            "f16",
        ],
        "--dtype f32 or bf16",
    );
}
