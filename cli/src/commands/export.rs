//! `fluxo export`.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Result, bail};
use fluxo_compare::export::{ExportManifest, SOURCE};
use fluxo_compare::files::{TEXT, VISION};
use fluxo_compare::{
    ExportError, ExportOptions, OnnxModelFiles, Step, digest, export_telling, verify_telling,
};
use fluxo_models::Model;
use fluxo_models::image::ImageProcessor;
use fluxo_models::stack::InputConfig;
use serde_json::json;

use super::device;
use super::fresh::made;
use crate::ExitStatus;
use crate::args::Export;
use crate::print::Print;
use crate::progress::Progress;

pub fn run(args: &Export, print: Print) -> Result<ExitStatus> {
    match (&args.check, &args.out) {
        (Some(folder), _) => check(&args.model, folder, print),
        (None, Some(out)) => write(args, out, print),
        // clap asks for one of them.
        (None, None) => bail!("give --out DIR, or --check DIR"),
    }
}

/// Repeats the check of an exported folder.
fn check(checkpoint: &Path, folder: &Path, print: Print) -> Result<ExitStatus> {
    let folder = if folder.is_file() {
        holder(checkpoint, folder)?
    } else {
        folder
    };
    let exported = ExportManifest::read(folder)?;
    let progress = Progress::new(print.quiet);
    progress.begin(&format!("reading {}", checkpoint.display()));
    let device = device(None)?;
    let (model, _) = Model::load_as(checkpoint, Some(exported.task), &device, exported.dtype)?;
    let report = verify_telling(&model, folder, &exported.options, &|step| {
        progress.step(step)
    });
    progress.end();
    let report = report?;
    let changed = match &exported.source {
        Some(source) => digest::digest(checkpoint)? != *source,
        None => false,
    };
    let note = if changed {
        "\nnote: the weights are not those that it was exported from"
    } else {
        ""
    };
    let document = json!({"source_changed": changed, "verification": report});
    print.result(&document, format!("{report}{note}"))?;
    Ok(if report.agrees() {
        ExitStatus::Success
    } else {
        ExitStatus::Failure
    })
}

/// The exported folder that `file` is part of, and stands for.
fn holder<'a>(checkpoint: &Path, file: &'a Path) -> Result<&'a Path> {
    let holds = |folder: &&Path| {
        let graph = OnnxModelFiles::in_folder(folder);
        graph.is_some_and(|graph| {
            let towers = [TEXT, VISION].map(|name| folder.join(name));
            graph.files().contains(&file) || towers.iter().any(|tower| tower == file)
        })
    };
    // Files lie under `onnx/`, or beside each other.
    let folders = file.ancestors().skip(1).take(2);
    match folders.collect::<Vec<_>>().into_iter().rev().find(holds) {
        Some(folder) => Ok(folder),
        None => bail!(
            "{} is not one of the exported files in {}; to compare any ONNX file use \
             `fluxo compare {} {}`",
            file.display(),
            folder_of(file).display(),
            checkpoint.display(),
            file.display(),
        ),
    }
}

fn folder_of(file: &Path) -> &Path {
    let parent = file
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

/// The sizes that are fixed, each said once.
fn fixed(sizes: &[(String, usize)]) -> Result<BTreeMap<String, usize>> {
    let mut fixed = BTreeMap::new();
    for (name, size) in sizes {
        if let Some(other) = fixed.insert(name.clone(), *size) {
            bail!("--static fixes {name} twice, at {other} and at {size}; say it once");
        }
    }
    Ok(fixed)
}

fn write(args: &Export, out: &Path, print: Print) -> Result<ExitStatus> {
    let static_sizes = fixed(&args.static_sizes)?;
    let progress = Progress::new(print.quiet);
    progress.begin(&format!("reading {}", args.model.display()));
    let device = device(None)?;
    // The weights are read twice: as what they are, and for their digest.
    let (loaded, digest) = std::thread::scope(|scope| {
        let digest = scope.spawn(|| digest::digest(&args.model));
        let loaded = Model::load_as(&args.model, args.task, &device, args.dtype);
        (loaded, digest.join())
    });
    let (model, _) = loaded?;
    let digest = digest.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
    let image_size = match args.image_size {
        Some(size) => Some([size, size]),
        None => image_size(&args.model, &model)?,
    };
    let options = ExportOptions {
        opset: args.opset.unwrap_or(args.target.opset()),
        target: args.target,
        cache: !args.no_cache,
        image_size,
        verify: true,
        keep: args.keep,
        taps: args.taps.clone().unwrap_or_default(),
        hidden_states: args.hidden_states,
        static_sizes,
        position_ids: args.position_ids,
        metadata: [(SOURCE.to_string(), digest)].into(),
        ..ExportOptions::default()
    };
    let told = |step: Step<'_>| progress.step(step);
    let exported = made(out, || export_telling(&model, out, &options, &told));
    progress.end();
    match exported {
        Ok(report) => {
            let check = report.verification.as_ref().map(ToString::to_string);
            let mut text = check.unwrap_or_default();
            for file in &report.files {
                text += &format!(
                    "\n{} ({} bytes, opset {})\n  {} -> {}",
                    file.file.display(),
                    file.bytes,
                    report.opset,
                    file.inputs.join(", "),
                    file.outputs.join(", "),
                );
            }
            let Some(kept) = &report.kept else {
                print.result(&report, text)?;
                return Ok(ExitStatus::Success);
            };
            text += &format!("\nkept, and marked, though it does not hold: {kept}");
            print.result(&report, text)?;
            Ok(ExitStatus::Failure)
        }
        Err(error) if error.did_not_hold() => {
            let report = match &error {
                ExportError::Disagrees(report) => Some(report.as_ref()),
                _ => None,
            };
            let table = report.map(ToString::to_string).unwrap_or_default();
            let document = json!({"error": error.to_string(), "verification": report});
            print.result(&document, format!("{table}\n{error}"))?;
            Ok(ExitStatus::Failure)
        }
        Err(error) => Err(error.into()),
    }
}

/// Height and width of the images that the checkpoint in `dir` is given, where its model reads
/// any size and the checkpoint says how images are prepared.
fn image_size(dir: &Path, model: &Model) -> Result<Option<[usize; 2]>> {
    let input = model.config().vision.as_ref().map(|stack| &stack.input);
    match input {
        Some(InputConfig::Patches(patches)) if patches.interpolates => {
            Ok(ImageProcessor::load(dir)?.and_then(|processor| processor.size()))
        }
        _ => Ok(None),
    }
}
