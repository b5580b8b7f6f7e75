//! ONNX files against Burn, at sizes that no trace had.

use std::path::Path;

use burn::tensor::DType;
use fluxo_models::{Model, Request};
use fluxo_onnx::Target;

use crate::cases::cases;
use crate::compare::{compare_cases, compare_refereed};
use crate::error::{Error, Result};
use crate::export::ExportOptions;
use crate::graph::Graph;
use crate::interface::Interface;
use crate::referee::rule;
use crate::report::{Report, Skipped};
use crate::runner::{Runner, burn::Burn, ort, replay::Replay, rten, tract};
use crate::taps::TapChoice;
use crate::towers::towers;
use crate::verdict::HALF;

/// Runs the exported files in `folder` in the embedded runtimes and compares them with `model`,
/// which was exported with `options`.
///
/// A runtime that cannot load a file or run any of it is listed as skipped.
///
/// # Errors
/// When no runtime could run the files, or Burn could not run the model.
pub fn verify(model: &Model, folder: &Path, options: &ExportOptions) -> Result<Report> {
    let graph = Graph::in_folder(folder).ok_or_else(|| Error::Model {
        path: folder.to_path_buf(),
        reason: "holds no exported files".to_string(),
    })?;
    let mut report = agreement(model, &graph, options, "")?;
    for tower in towers(model, options)? {
        let graph = Graph::Whole(folder.join(tower.file));
        let place = format!("in {}, ", tower.file);
        report.merge(agreement(&tower.model, &graph, &tower.options, &place)?);
    }
    Ok(report)
}

/// The embedded runtimes that read a file; where it is for ONNX Runtime, or of weights that only
/// this one reads, ONNX Runtime too.
fn runtimes(dtype: DType, target: Target) -> Vec<&'static str> {
    match (dtype, target) {
        (DType::BF16, _) => vec![ort::NAME],
        (_, Target::Ort) => vec![ort::NAME, rten::NAME],
        (_, Target::Tract) => vec![tract::NAME],
        (_, Target::Rten) => vec![rten::NAME],
        (_, Target::Any | Target::Web) => vec![tract::NAME, rten::NAME],
    }
}

/// The largest difference of each from the exact outputs, or from Burn where there are none, as a
/// file's metadata has it: `flex 4.0e-7, tract 3.1e-7, rten 2.9e-7`.
pub(crate) fn parity(report: &Report) -> String {
    let mut worst: Vec<(&str, f64)> = Vec::new();
    let Some(first) = report.runners.first() else {
        return String::new();
    };
    for pair in report.pairs.iter().filter(|pair| pair.a == *first) {
        match worst.iter_mut().find(|(name, _)| *name == pair.b) {
            Some((_, known)) => *known = known.max(pair.scaled),
            None => worst.push((&pair.b, pair.scaled)),
        }
    }
    let worst = worst.iter().map(|(name, gap)| format!("{name} {gap:.1e}"));
    worst.collect::<Vec<_>>().join(", ")
}

/// One graph against one model; `place` stands before the cases' labels.
fn agreement(model: &Model, graph: &Graph, options: &ExportOptions, place: &str) -> Result<Report> {
    let interfaces = Interface::all(model, options)?;
    let backend = fluxo_backends::default_name().unwrap_or("flex");
    let request = Request {
        hidden_states: options.hidden_states,
        taps: options.taps != TapChoice::None,
    };
    let runtimes = runtimes(model.dtype(), options.target);
    // Weights in bfloat16 are computed with in 32 bits.
    let model = match model.dtype() {
        DType::BF16 => &model.clone().in_precision(DType::F32),
        _ => model,
    };
    // One after the other: of a large model no two runtimes are in memory at once.
    let mut reference = Burn::new(backend, model, backend, request)?;
    let mut cases = cases(&interfaces, &mut reference)?;
    for (label, _) in &mut cases {
        label.insert_str(0, place);
    }
    let rulings = rule(model, request, &cases)?;
    let mut runners: Vec<Box<dyn Runner>> = vec![Box::new(Replay::of(&mut reference, &cases))];
    drop(reference);
    let mut skipped = Vec::new();
    let mut failed = None;
    for name in runtimes {
        match graph.load(name, name) {
            Ok(mut runner) => runners.push(Box::new(Replay::of(&mut *runner, &cases))),
            Err(error) => {
                skipped.push(Skipped {
                    runner: name.to_string(),
                    reason: error.to_string(),
                });
                failed.get_or_insert(error);
            }
        }
    }
    if let (1, Some(error)) = (runners.len(), failed) {
        return Err(error);
    }
    let mut report = match rulings {
        Some(rulings) => compare_refereed(&mut runners, &cases, &rulings)?,
        None => {
            let tolerance = (model.dtype() == DType::F16).then_some(HALF);
            compare_cases(&mut runners, &cases, tolerance)?
        }
    };
    report.skipped.extend(skipped);
    Ok(report)
}
