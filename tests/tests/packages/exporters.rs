//! ONNX files that optimum and torch.onnx write of six families and more
//! (`fixtures/make_exporters.py`), beside their checkpoints: a text as a whole, a prompt and tokens
//! behind a cache; and what is a convention and no bug.

use std::path::{Path, PathBuf};

use burn::tensor::TensorData;
use fluxo_backends::device;
use fluxo_compare::report::Severity;
use fluxo_compare::{
    Case, Judging, OnnxModelFiles, Report, compare_judged, convention, inputs::samples,
    inputs::steps, referee,
};
use fluxo_models::{Model, OutputOptions, tensors};
use fluxo_tests::{fixture, trial};
use libtest_mimic::Trial;

use super::foreign::runtimes;

/// The folders that hold what an exporter wrote, beside the checkpoint.
fn exports() -> Vec<(PathBuf, String)> {
    let folders = |path: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(path).unwrap();
        let mut found: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        found.retain(|path| path.is_dir());
        found.sort();
        found
    };
    let mut found = Vec::new();
    for checkpoint in folders(&fixture("exporters")) {
        for export in folders(&checkpoint) {
            let name = export.file_name().unwrap().to_string_lossy().into_owned();
            found.push((checkpoint.clone(), name));
        }
    }
    assert!(found.len() >= 14, "only {} exports", found.len());
    found
}

pub fn trials() -> Vec<Trial> {
    let ort = || {
        if runtimes().contains(&"ort") {
            Ok(())
        } else {
            Err("no ONNX Runtime; pip install onnxruntime".to_string())
        }
    };
    let mut trials: Vec<Trial> = exports()
        .into_iter()
        .map(|(checkpoint, export)| {
            let family = checkpoint
                .file_name()
                .unwrap()
                .to_string_lossy()
                .into_owned();
            trial(format!("{family} by {export}"), ort(), move || {
                agrees(&checkpoint, &checkpoint.join(export))
            })
        })
        .collect();
    let fault = "a fault under padding is no convention";
    trials.push(trial("a convention is called that", ort(), || {
        conventional(false)
    }));
    trials.push(trial(fault, ort(), || conventional(true)));
    trials
}

fn say(error: fluxo_compare::Error) -> String {
    error.to_string()
}

/// Every runtime that loads the files agrees with the checkpoint, ONNX Runtime among them, and
/// writes with a cache what it says.
fn agrees(checkpoint: &Path, export: &Path) -> Result<(), String> {
    let graph = OnnxModelFiles::in_folder(export).ok_or("there are no ONNX files")?;
    let flex = device("flex").map_err(|e| e.to_string())?;
    let (model, _) = Model::load(checkpoint, None, &flex).map_err(|e| e.to_string())?;
    let first = graph.without_past();
    let files: Vec<PathBuf> = first.files().into_iter().map(Path::to_path_buf).collect();
    let mut inputs = samples::fitting(model.config(), &files).map_err(say)?;
    samples::drop_foreign(&mut inputs, &graph).map_err(say)?;
    let mut cases: Vec<Case> = vec![("on these inputs".to_string(), inputs)];
    let decoding = steps::steps(&model, std::slice::from_ref(&graph)).map_err(say)?;
    if model.config().cached() && decoding.len() != 4 {
        return Err(format!("{} steps of a decoding", decoding.len()));
    }
    cases.extend(decoding);
    let report = judged(&model, &graph, &cases)?;
    let near = |finding| matches!(finding, Severity::Same | Severity::Noise);
    let all = report.assessments.iter().all(|s| near(s.finding));
    let ort = report.assessments.iter().any(|s| s.runner == "ort")
        && report.skipped.iter().all(|skipped| skipped.runner != "ort");
    // tract reads no shape that is computed of a past's; what it does give agrees.
    let agree = report.pairs.iter().all(|pair| pair.agrees);
    if agree && all && ort && report.conventions.is_empty() {
        Ok(())
    } else {
        Err(report.to_string())
    }
}

/// `graph` in ONNX Runtime, and where it loads elsewhere, beside `model` on flex.
fn judged(model: &Model, graph: &OnnxModelFiles, cases: &[Case]) -> Result<Report, String> {
    let request = OutputOptions::default();
    let references = referee::reference_outputs(model, request, cases).map_err(say)?;
    let references = references.ok_or("there is no referee")?;
    let others = convention::others(model, request, cases, true).map_err(say)?;
    let flex = fluxo_compare::runner::backend::Burn::new("flex", model, "flex", request);
    let mut runners: Vec<Box<dyn fluxo_compare::runner::Runner>> =
        vec![Box::new(flex.map_err(say)?)];
    for name in runtimes() {
        match graph.load(name, name) {
            Ok(runner) => runners.push(runner),
            Err(error) if name == "ort" => return Err(error.to_string()),
            // Branches, and what such files call their operators, are not read everywhere.
            Err(_) => {}
        }
    }
    let judging = Judging {
        references: &references,
        others: &others,
        ..Judging::default()
    };
    compare_judged(&mut runners, cases, &judging).map_err(say)
}

/// `hf/gpt2` in `folder`, where `faulty` with one weight larger by a hundredth.
fn gpt2(folder: &Path, faulty: bool) -> Result<Model, String> {
    let from = fixture("hf/gpt2");
    let config = std::fs::copy(from.join("config.json"), folder.join("config.json"));
    config.map_err(|e| e.to_string())?;
    let mut weights = tensors::read(&from.join("model.safetensors")).map_err(|e| e.to_string())?;
    if faulty {
        let name = "transformer.h.1.mlp.c_fc.weight";
        let data = weights.get(name).ok_or("no such weight")?;
        let mut values: Vec<f32> = data.iter::<f32>().collect();
        let largest =
            (0..values.len()).max_by(|a, b| values[*a].abs().total_cmp(&values[*b].abs()));
        values[largest.unwrap_or_default()] *= 1.01;
        weights.insert(name.into(), TensorData::new(values, data.shape().to_vec()));
    }
    let file = folder.join("model.safetensors");
    tensors::write(&file, &weights).map_err(|e| e.to_string())?;
    let flex = device("flex").map_err(|e| e.to_string())?;
    Ok(Model::load(folder, None, &flex)
        .map_err(|e| e.to_string())?
        .0)
}

/// PyTorch's file of `hf/gpt2`, which numbers columns, with padding on the left: beside a checkpoint
/// that is not `faulty` it follows another convention.
fn conventional(faulty: bool) -> Result<(), String> {
    let follows = !faulty;
    let graph = OnnxModelFiles::Whole(fixture("torch/gpt2.onnx"));
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let model = gpt2(folder.path(), faulty)?;
    let mut inputs = samples::inputs(model.config(), 2, 6);
    let mask = TensorData::new(vec![1_i64, 1, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1], [2, 6]);
    inputs.insert("attention_mask".into(), mask);
    let report = judged(&model, &graph, &[("here".to_string(), inputs)])?;
    let ort = report.assessments.iter().find(|s| s.runner == "ort");
    let found = ort.map(|assessment| assessment.finding);
    let wanted = if follows {
        Severity::Convention
    } else {
        Severity::Bug
    };
    let named = report.conventions.iter().any(|c| c.runner == "ort") == follows;
    if found == Some(wanted) && named && report.agrees() == follows {
        Ok(())
    } else {
        Err(report.to_string())
    }
}
