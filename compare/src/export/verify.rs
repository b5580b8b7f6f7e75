//! ONNX files against Burn, at sizes that no trace had.

use std::collections::BTreeMap;
use std::path::Path;
use std::thread::ScopedJoinHandle;

use burn::module::Module;
use burn::tensor::DType;
use fluxo_models::{Model, OutputOptions};
use fluxo_onnx::Target;

use super::check_inputs::{Cases, cases};
use super::options::ExportOptions;
use super::plan::{ExportPlan, ModelPlan};
use super::taps::TapChoice;
use crate::Case;
use crate::compare::{compare_cases, compare_refereed};
use crate::error::{Error, Result};
use crate::files::OnnxModelFiles;
use crate::precision;
use crate::progress::{Meter, Step, Told, untold};
use crate::referee::{self, MEASURING, reference_outputs_telling};
use crate::runner::{Replay, Runner, backend::Burn, ort, ort_library, rten, tract};
use fluxo_verify::diff::tolerance::HALF;
use fluxo_verify::report::{Report, Skipped};

/// The largest model, in weights, whose files are run while the referee computes: both hold it.
const ASIDE: usize = 1 << 27;

/// Runs the exported files in `folder` in the runtimes that they are for and compares them with
/// `model`, which was exported with `options`.
///
/// A runtime that cannot load a file or run any of it is listed as skipped.
///
/// # Errors
/// When no runtime could run the files, or Burn could not run the model.
pub fn verify(model: &Model, folder: &Path, options: &ExportOptions) -> Result<Report> {
    verify_telling(model, folder, options, &untold)
}

/// [`verify`], and `told` hears how far it is.
///
/// # Errors
/// As [`verify`].
pub fn verify_telling(
    model: &Model,
    folder: &Path,
    options: &ExportOptions,
    told: Told<'_>,
) -> Result<Report> {
    verify_plan(&ExportPlan::new(model, options)?, folder, told)
}

/// [`verify_telling`] of the files of `plan`.
pub(super) fn verify_plan(plan: &ExportPlan<'_>, folder: &Path, told: Told<'_>) -> Result<Report> {
    let graph = OnnxModelFiles::in_folder(folder).ok_or_else(|| Error::Model {
        path: folder.to_path_buf(),
        reason: "holds no exported files".to_string(),
    })?;
    let mut found: Option<Report> = None;
    for part in &plan.models {
        let (graph, place) = match part.file {
            Some(file) => (
                OnnxModelFiles::Whole(folder.join(file)),
                format!("in {file}, "),
            ),
            None => (graph.clone(), String::new()),
        };
        let own = agreement(part, &graph, &place, told)?;
        match &mut found {
            Some(found) => found.merge(own),
            None => found = Some(own),
        }
    }
    found.ok_or_else(|| Error::TooFew("there are no files".to_string()))
}

/// The runtimes that a file is run in: those that it is for. Where ONNX Runtime is not here, others
/// stand in for it that read the same operators; weights in bfloat16 nothing else reads.
fn runtimes(dtype: DType, target: Target, ort_is_here: bool) -> Vec<&'static str> {
    match (dtype, target, ort_is_here) {
        (DType::BF16, ..) => vec![ort::NAME],
        (_, Target::Ort | Target::Web, true) => vec![ort::NAME],
        (_, Target::Ort, false) => vec![ort::NAME, rten::NAME],
        (_, Target::Web, false) => vec![ort::NAME, tract::NAME, rten::NAME],
        (_, Target::Tract, _) => vec![tract::NAME],
        (_, Target::Rten, _) => vec![rten::NAME],
        (_, Target::Any, true) => vec![tract::NAME, rten::NAME, ort::NAME],
        (_, Target::Any, false) => vec![tract::NAME, rten::NAME],
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
fn agreement(
    plan: &ModelPlan<'_>,
    graph: &OnnxModelFiles,
    place: &str,
    told: Told<'_>,
) -> Result<Report> {
    let ModelPlan {
        model,
        options,
        interfaces,
        ..
    } = plan;
    let backend = fluxo_backends::default_name().unwrap_or("flex");
    let request = OutputOptions {
        hidden_states: options.hidden_states,
        taps: options.taps != TapChoice::None,
    };
    let ort_is_here = ort_library::environment().is_ok();
    let runtimes = runtimes(model.dtype(), options.target, ort_is_here);
    let model = match model.dtype() {
        DType::BF16 => &precision::rounded(model, DType::BF16),
        _ => &**model,
    };
    let checking = |what: &str| format!("checking {place}{what}");
    told(Step {
        what: &checking("the inputs"),
        done: 0,
        of: 0,
    });
    let mut reference = Burn::new(backend, model, backend, request)?;
    let Cases {
        all: mut cases,
        given,
    } = cases(interfaces, &mut reference)?;
    for (label, _) in &mut cases {
        label.insert_str(0, place);
    }
    // What the reference gives is one of the passes that measure rounding, on the same backend.
    let shared = usize::from(referee::backend() == Some(backend));
    let aside = model.network.num_params() <= ASIDE;
    let told_of = if aside { 0 } else { runtimes.len() };
    let passes = cases.len() * (2 + MEASURING as usize - shared + told_of);
    let told = |step: Step<'_>| {
        let what = &checking(step.what);
        told(Step { what, ..step });
    };
    let meter = Meter::new(&told, passes);
    meter.begin(backend);
    let passed = || meter.passed(backend, 1);
    let burn = Replay::of(&mut reference, &cases, given, passed);
    drop(reference);
    let plain = burn.outputs().filter(|_| shared == 1);
    let (references, files) = std::thread::scope(|scope| {
        let files = aside.then(|| {
            scope.spawn(|| {
                let untold = Meter::new(&untold, 0);
                run_files(graph, &runtimes, &cases, &untold)
            })
        });
        let references = reference_outputs_telling(model, request, &cases, plain, &meter);
        if aside {
            meter.begin(&runtimes.join(", "));
        }
        let files = match files.map(ScopedJoinHandle::join) {
            Some(Ok(files)) => files,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => run_files(graph, &runtimes, &cases, &meter),
        };
        (references, files)
    });
    let references = references?;
    let mut runners: Vec<Box<dyn Runner>> = vec![Box::new(burn)];
    let mut skipped = Vec::new();
    let mut failed = None;
    for (name, replay) in runtimes.iter().zip(files) {
        match replay {
            Ok(replay) => runners.push(Box::new(replay)),
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
    let mut report = match references {
        Some(references) => compare_refereed(&mut runners, &cases, &references)?,
        None => {
            let tolerance = (model.dtype() == DType::F16).then_some(HALF);
            compare_cases(&mut runners, &cases, tolerance)?
        }
    };
    report.skipped.extend(skipped);
    Ok(report)
}

/// What the files give in each of `runtimes`, one after the other: of a large model no two are in
/// memory at once.
fn run_files(
    graph: &OnnxModelFiles,
    runtimes: &[&str],
    cases: &[Case],
    meter: &Meter<'_>,
) -> Vec<Result<Replay>> {
    let run = |name: &&str| {
        let mut runner = graph.load_keeping(name, name)?;
        meter.begin(name);
        let passed = || meter.passed(name, 1);
        Ok(Replay::of(&mut *runner, cases, BTreeMap::new(), passed))
    };
    runtimes.iter().map(run).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_run_in_what_it_is_for() {
        let of = |target, ort| runtimes(DType::F32, target, ort).join(" ");
        assert_eq!(of(Target::Any, true), "tract rten ort");
        assert_eq!(of(Target::Any, false), "tract rten");
        assert_eq!(of(Target::Web, true), "ort");
        assert_eq!(of(Target::Ort, true), "ort");
        assert_eq!(of(Target::Tract, true), "tract");
        assert_eq!(of(Target::Rten, true), "rten");
        // It is said that it is not here.
        assert_eq!(of(Target::Web, false), "ort tract rten");
        assert_eq!(runtimes(DType::BF16, Target::Any, false), [ort::NAME]);
    }
}
