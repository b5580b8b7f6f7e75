//! Exported folders in transformers.js, in Node and in a headless browser on onnxruntime-web: the
//! same token numbers, vectors and greedy tokens as the binary itself (`tests/javascript/`).
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;

use burn::tensor::TensorData;
use fluxo_compare::ExportOptions;
use fluxo_models::{Model, Text, tensors};
use fluxo_tests::{REQUIRE_ALL, fixture};
use serde_json::{Value, json};

/// Texts of different lengths, so that a batch of them needs padding.
const PROMPTS: [&str; 3] = [
    "The residual stream.",
    "each layer adds to the stream of the other two",
    "Don't you think?",
];
/// What an exported folder is for: family, the tokenizer's files, kind in `checks.mjs`.
const MODELS: [(&str, &str, &str); 4] = [
    ("bert", "bert", "vectors"),
    ("gpt2", "gpt2", "text"),
    ("llama", "opt", "text"),
    ("t5", "unigram", "text2text"),
];
const NEW_TOKENS: usize = 12;

/// The folder of npm's packages: `FLUXO_NODE_MODULES`, where `.ci/run` puts them.
fn modules() -> Result<PathBuf, String> {
    let folder = std::env::var_os("FLUXO_NODE_MODULES");
    let folder = folder.ok_or("FLUXO_NODE_MODULES does not say where npm put them")?;
    let library = Path::new(&folder).join("@huggingface/transformers");
    if library.is_dir() {
        Ok(folder.into())
    } else {
        Err(format!("{} is absent; npm ci", library.display()))
    }
}

/// The first of `names` that runs.
fn program(names: &[&str]) -> Result<String, String> {
    let runs = |name: &&&str| {
        let output = Command::new(name).arg("--version").output();
        output.is_ok_and(|output| output.status.success())
    };
    let found = names.iter().find(runs);
    let missing = || format!("no {}", names.join(", "));
    found.map(ToString::to_string).ok_or_else(missing)
}

/// Says that `check` did not run, which under [`REQUIRE_ALL`] is a failure.
fn skip(check: &str, reason: &str) {
    let all = std::env::var(REQUIRE_ALL).is_ok_and(|value| value == "1");
    assert!(!all, "{check} was skipped: {reason}");
    eprintln!("skipped: {check}: {reason}");
}

fn fluxo(args: &[&str]) -> Value {
    let binary = env!("CARGO_BIN_EXE_fluxo");
    let output = Command::new(binary).args(args).arg("--json").output();
    let output = output.unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{args:?}: {said}{error}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Makes, exports and runs every model; the exported folders lie in `home`, with `cases.json`.
fn prepare(home: &Path) {
    let checkpoints = tempfile::tempdir().unwrap();
    let cases = MODELS.map(|(family, tokenizer, kind)| {
        let checkpoint = checkpoints.path().join(family);
        let (from, to) = (checkpoint.to_str().unwrap(), home.join(family));
        let text = Text::from_folder(&fixture(&format!("text/{tokenizer}")));
        let text = text.unwrap().unwrap();
        let vocabulary = format!("vocab_size={}", text.vocab_size());
        // With these a text is not one token over and over.
        let weights = match family {
            "t5" => "tie_word_embeddings=false",
            _ => "initializer_range=0.1",
        };
        let set = ["--set", &vocabulary, "--set", weights, "--seed", "5"];
        fluxo(&[&["new", family, "--out", from], &set[..]].concat());
        for file in text.files() {
            std::fs::copy(file, checkpoint.join(file.file_name().unwrap())).unwrap();
        }
        match family {
            // As a model does that is too large for one file.
            "llama" => export_in_two(&checkpoint, &to),
            _ => drop(fluxo(&["export", from, "--out", to.to_str().unwrap()])),
        }
        let texts = PROMPTS.map(|prompt| match kind {
            "vectors" => vectors(from, prompt, &text),
            _ => written(from, prompt, &text),
        });
        json!({"model": family, "kind": kind, "max_new_tokens": NEW_TOKENS, "texts": texts})
    });
    let more = [
        conversation(checkpoints.path(), home),
        speech(checkpoints.path(), home),
    ];
    let cases: Vec<Value> = cases.into_iter().chain(more).collect();
    std::fs::write(home.join("cases.json"), json!(cases).to_string()).unwrap();
}

/// A new model of `family` with the files that transformers 5 writes beside one, exported.
fn as_saved(family: &str, folder: &str, set: &[&str], checkpoints: &Path, home: &Path) -> PathBuf {
    let checkpoint = checkpoints.join(folder);
    let from = checkpoint.to_str().unwrap();
    let set = set.iter().flat_map(|set| ["--set", set]);
    let args: Vec<&str> = ["new", family, "--out", from]
        .into_iter()
        .chain(set)
        .collect();
    fluxo(&args);
    copy(&fixture("folders").join(folder), &checkpoint);
    let out = home.join(folder);
    fluxo(&["export", from, "--out", out.to_str().unwrap()]);
    checkpoint
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &to);
        } else {
            std::fs::copy(&path, &to).unwrap();
        }
    }
}

/// Chat templates in files of their own, and what transformers writes with them.
fn conversation(checkpoints: &Path, home: &Path) -> Value {
    as_saved("llama", "chat", &["vocab_size=7"], checkpoints, home);
    let golden = std::fs::read(fixture("folders/golden.json")).unwrap();
    let mut case: Value = serde_json::from_slice(&golden).unwrap();
    case["model"] = "chat".into();
    case["kind"] = "chat".into();
    case
}

/// A processor that stands in `processor_config.json`, a sound, and what the binary writes for it.
fn speech(checkpoints: &Path, home: &Path) -> Value {
    let set = [
        "vocab_size=300",
        "init_std=0.1",
        "decoder_start_token_id=2",
        "eos_token_id=299",
        "pad_token_id=299",
    ];
    let checkpoint = as_saved("whisper", "whisper", &set, checkpoints, home);
    let wave =
        |i: i32| (8000.0 * (f64::from(i) / 20.0).sin() * (f64::from(i) / 700.0).cos()) as i16;
    let samples: Vec<i16> = (0..12_000).map(wave).collect();
    let sound = checkpoint.join("sound.wav");
    std::fs::write(&sound, wav(&samples)).unwrap();
    let limit = NEW_TOKENS.to_string();
    let sound = sound.to_str().unwrap();
    let args = ["generate", checkpoint.to_str().unwrap(), "--sound", sound];
    let answer = fluxo(&[&args[..], &["--max-new-tokens", &limit]].concat());
    let samples = samples.iter().map(|sample| f64::from(*sample) / 32_768.0);
    json!({
        "model": "whisper", "kind": "speech", "max_new_tokens": NEW_TOKENS,
        "samples": samples.collect::<Vec<_>>(), "ids": answer["ids"],
    })
}

/// A WAV file of 16 bits at 16 kHz.
fn wav(samples: &[i16]) -> Vec<u8> {
    let length = 2 * samples.len() as u32;
    let mut file = Vec::new();
    file.extend(b"RIFF");
    file.extend((36 + length).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend([16_000_u32, 32_000].map(u32::to_le_bytes).concat());
    file.extend(b"\x02\0\x10\0data");
    file.extend(length.to_le_bytes());
    file.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    file
}

/// Exports with the weights in a file of their own.
fn export_in_two(checkpoint: &Path, to: &Path) {
    let device = fluxo_backends::device("flex").unwrap();
    let (model, _) = Model::load(checkpoint, None, &device).unwrap();
    let options = ExportOptions {
        external_over: 0,
        ..ExportOptions::default()
    };
    fluxo_compare::export(&model, to, &options).unwrap();
    assert!(to.join("onnx/model.onnx_data").is_file());
}

fn vectors(checkpoint: &str, prompt: &str, text: &Text) -> Value {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    fluxo(&["run", checkpoint, "--prompt", prompt, "--out", path]);
    let outputs = tensors::read(file.path()).unwrap();
    let values = |data: &TensorData| data.iter::<f32>().collect::<Vec<_>>();
    json!({
        "prompt": prompt,
        "ids": text.encode(prompt).unwrap(),
        "last_hidden_state": values(&outputs["last_hidden_state"]),
        "pooler_output": values(&outputs["pooler_output"]),
    })
}

fn written(checkpoint: &str, prompt: &str, text: &Text) -> Value {
    let limit = NEW_TOKENS.to_string();
    let args = ["generate", checkpoint, "--prompt", prompt];
    let answer = fluxo(&[&args[..], &["--max-new-tokens", &limit]].concat());
    json!({
        "prompt": prompt,
        "prompt_ids": text.encode(prompt).unwrap(),
        "ids": answer["ids"],
        "text": answer["text"],
    })
}

/// Runs a script of `tests/javascript` on fresh exports.
fn script(name: &str, modules: &Path, more: &[&str]) {
    let home = tempfile::tempdir().unwrap();
    prepare(home.path());
    let script = fixture("../javascript").join(name);
    let mut command = Command::new("node");
    command.arg(script).arg(modules).arg(home.path()).args(more);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{error}");
}

#[test]
fn node_agrees() {
    let needs = program(&["node"]).and_then(|_| modules());
    match needs {
        Ok(modules) => script("node.mjs", &modules, &[]),
        Err(reason) => skip("transformers.js in Node", &reason),
    }
}

#[test]
fn a_browser_agrees() {
    let browsers = ["chromium", "chromium-browser", "google-chrome", "chrome"];
    let needs = program(&["node"]).and_then(|_| modules());
    match needs.and_then(|modules| Ok((modules, program(&browsers)?))) {
        Ok((modules, browser)) => script("browser.mjs", &modules, &[&browser]),
        Err(reason) => skip("transformers.js in a browser", &reason),
    }
}
