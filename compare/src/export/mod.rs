//! A model of the zoo as an ONNX file, published only after it was checked.

mod check_inputs;
mod clip;
pub(crate) mod folder;
mod interface;
mod manifest;
mod options;
mod outcome;
pub(crate) mod plan;
mod serves;
mod spec;
mod taps;
mod verify;
pub(crate) mod write;

use std::path::Path;
use std::time::Instant;

use fluxo_models::Model;
use fluxo_onnx::file::{Port, Signature};
use fluxo_verify::report::Report;

use crate::error::{Error, io, zoo};
use crate::metadata;
use crate::progress::{Told, untold};
use folder::{beside, publish};
use plan::ExportPlan;
use serves::judged;
use write::write;

pub use crate::metadata::{KEPT, SOURCE};
pub use manifest::ExportManifest;
pub use options::ExportOptions;
pub use outcome::{ExportError, ExportReport, FileReport};
pub use taps::TapChoice;
pub use verify::{verify, verify_telling};

/// Writes `model` as ONNX into the folder `dir`: `config.json`, the files of the tokenizer where
/// there is one, and `onnx/model.onnx`, of an encoder-decoder that writes
/// `onnx/encoder_model.onnx` and `onnx/decoder_model_merged.onnx`. Where texts are compared with
/// images, `onnx/text_model.onnx` and `onnx/vision_model.onnx` stand beside the file of both.
///
/// The files are made beside, the graphs are run in the runtimes that they are for at sizes that
/// no trace had and compared with Burn ([`verify`](crate::verify())), and only then do they come
/// under their names; what was in `dir` before is replaced file by file.
///
/// # Errors
/// [`ExportError::Disagrees`] and [`ExportError::Unverified`] when the check did not hold,
/// [`ExportError::Failed`] when the model has no ONNX form or the folder cannot be written.
pub fn export(
    model: &Model,
    dir: &Path,
    options: &ExportOptions,
) -> std::result::Result<ExportReport, ExportError> {
    export_telling(model, dir, options, &untold)
}

/// [`export()`], and `told` hears how far it is.
///
/// # Errors
/// As [`export()`].
pub fn export_telling(
    model: &Model,
    dir: &Path,
    options: &ExportOptions,
    told: Told<'_>,
) -> std::result::Result<ExportReport, ExportError> {
    export_with(model, dir, options, told, |plan, folder| {
        verify::verify_plan(plan, folder, told)
    })
}

/// [`export()`] with the check as a function of the written folder.
fn export_with(
    model: &Model,
    dir: &Path,
    options: &ExportOptions,
    told: Told<'_>,
    check: impl FnOnce(&ExportPlan<'_>, &Path) -> Result<Report, Error>,
) -> std::result::Result<ExportReport, ExportError> {
    let beside = beside(dir)?;
    let draft = beside.path();
    let plan = ExportPlan::new(model, options)?;
    let mut written = Vec::new();
    for part in &plan.models {
        written.extend(write(part, draft, told)?);
    }
    // The last of the model's own.
    let main = plan.models[0].interfaces.len() - 1;
    let start = Instant::now();
    let checked = if options.verify {
        Some(check(&plan, draft))
    } else {
        None
    };
    let verification_seconds = start.elapsed().as_secs_f64();
    let (verification, kept) = match checked {
        Some(Ok(report)) if report.agrees() => (Some(report), None),
        Some(Ok(report)) if options.keep => {
            let why = judged(&report);
            (Some(report), Some(why))
        }
        Some(Ok(report)) => return Err(ExportError::Disagrees(Box::new(report))),
        Some(Err(error)) if options.keep => (None, Some(format!("not checked: {error}"))),
        Some(Err(error)) => return Err(ExportError::Unverified(error)),
        None => (None, None),
    };
    let parity = verification.as_ref().map(verify::parity);
    let marks = [(metadata::PARITY, &parity), (metadata::KEPT, &kept)];
    for file in &written {
        let marks = marks
            .iter()
            .filter_map(|(key, said)| Some((*key, said.as_deref()?)));
        fluxo_onnx::append_metadata(draft.join(file), marks).map_err(Error::from)?;
    }
    model.save_config_whole(draft).map_err(zoo)?;
    let names = |ports: Vec<Port>| ports.into_iter().map(|port| port.name).collect();
    let mut files = Vec::new();
    for file in &written {
        let path = draft.join(file);
        let signature = Signature::read(&path).map_err(Error::from)?;
        files.push(FileReport {
            file: dir.join(file),
            bytes: std::fs::metadata(&path).map_err(|e| io(&path, e))?.len(),
            inputs: names(signature.inputs),
            outputs: names(signature.outputs),
        });
    }
    publish(draft, dir)?;
    let FileReport {
        file,
        bytes,
        inputs,
        outputs,
    } = files[main].clone();
    Ok(ExportReport {
        folder: dir.to_path_buf(),
        files,
        file,
        bytes,
        opset: options.opset,
        inputs,
        outputs,
        verification,
        verification_seconds,
        kept,
    })
}

#[cfg(test)]
mod tests;
