//! Where two checkpoints part is found in little more memory than one of them runs in.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;

use fluxo_compare::{Case, checks::timing, compare_refereed, open, referee};
use fluxo_models::{Model, NewModelOptions, OutputOptions, Tensors};

/// In a process that measures: the folder with the checkpoints, and how many of them.
const FOLDER: &str = "FLUXO_MEASURED_FOLDER";
const COUNT: &str = "FLUXO_MEASURED_COUNT";

/// A GPT-2 of 62 million parameters: large beside what a process holds anyway.
fn model() -> Model {
    let set = [
        ("vocab_size", "24000"),
        ("n_embd", "768"),
        ("n_head", "12"),
        ("n_layer", "6"),
    ];
    let settings = NewModelOptions {
        set: set.map(|(k, v)| (k.to_string(), v.to_string())).to_vec(),
        ..NewModelOptions::default()
    };
    let device = fluxo_backends::device("flex").unwrap();
    Model::new("gpt2", &settings, 1, &device).unwrap()
}

fn paths(folder: &Path) -> [PathBuf; 2] {
    ["good", "bad"].map(|name| folder.join(name))
}

/// What `fluxo run` does.
fn one(folder: &Path, inputs: &Tensors) {
    let on = ["flex".to_string()];
    let opened = open::open(&paths(folder)[..1], &on, OutputOptions::default());
    opened.unwrap().runners[0].run(inputs).unwrap();
}

/// What `fluxo compare --locate` does.
fn pair(folder: &Path, inputs: &Tensors) {
    let (paths, on) = (paths(folder), ["flex".to_string()]);
    let mut opened = open::open_in_turn(&paths, &on, OutputOptions::default()).unwrap();
    let cases: [Case; 1] = [("here".into(), inputs.clone())];
    let references =
        referee::reference_outputs(opened.model.as_ref().unwrap(), opened.request, &cases);
    opened.model = None;
    let references = references.unwrap().unwrap();
    let mut report = compare_refereed(&mut opened.runners, &cases, &references).unwrap();
    assert_eq!(report.skipped, []);
    drop(opened);
    report.place(open::locate(&paths, &on, inputs).unwrap().unwrap());
    let path = "decoder.layers.2.attention.query";
    assert_eq!(report.located.as_deref(), Some(path));
}

/// The most memory that a process holds which looks at `count` of the checkpoints in `folder`.
fn measured(folder: &Path, count: &str) -> f64 {
    let test = "a_pair_takes_little_more_memory_than_one_run";
    let child = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(FOLDER, folder)
        .env(COUNT, count)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    let peak = said.lines().find_map(|line| line.split_once("peak "));
    let peak = peak.unwrap_or_else(|| panic!("{said}")).1;
    peak.trim().parse().unwrap()
}

/// The bound, 1.5 times the memory of one run. What is over 1 is the float64 run: one
/// block, and some rows of the table of tokens.
#[test]
fn a_pair_takes_little_more_memory_than_one_run() {
    if let Ok(folder) = std::env::var(FOLDER) {
        let folder = PathBuf::from(folder);
        let ids: Vec<i64> = (0..32).map(|i| i * 379 % 24000).collect();
        let ids = burn::tensor::TensorData::new(ids, [2, 16]);
        let inputs = Tensors::from([("input_ids".to_string(), ids)]);
        match std::env::var(COUNT).as_deref() {
            Ok("1") => one(&folder, &inputs),
            _ => pair(&folder, &inputs),
        }
        println!("\npeak {}", timing::peak_memory().unwrap());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let [good, bad] = paths(folder.path());
    let mut model = model();
    model.save(&good).unwrap();
    let layers = &mut model.network.decoder.as_mut().unwrap().layers;
    let (before, behind) = layers.split_at_mut(3);
    std::mem::swap(
        &mut before[2].attention.query,
        &mut behind[0].attention.query,
    );
    model.save(&bad).unwrap();
    drop(model);
    let one = measured(folder.path(), "1");
    let ratio = measured(folder.path(), "2") / one;
    println!("{ratio:.2} times the {:.0} MB of one run", one / 1e6);
    assert!(ratio < 1.5, "{ratio:.2}");
}
