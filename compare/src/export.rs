//! A model of the zoo as an ONNX file, published only after it was checked.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use fluxo_models::Model;
use fluxo_onnx::Target;
use serde::Serialize;

use crate::error::{Error, zoo};
use crate::exported;
use crate::interface::Interface;
use crate::progress::{Step, Told, untold};
use crate::publish::{beside, io, publish};
use crate::serves::judged;
use crate::taps::TapChoice;
use crate::towers::towers;
use crate::verify::verify_telling;
use fluxo_onnx::file::{Port, Signature};
use fluxo_verify::report::Report;

/// What is exported, and how.
#[derive(Debug, Clone)]
pub struct ExportOptions {
    /// The version of ONNX's operators, from 17 to 24.
    pub opset: i64,
    /// Where the file will run; [`Target::opset`] serves it best.
    pub target: Target,
    /// The largest file, in bytes, that holds its weights itself.
    pub external_over: usize,
    /// Pairs stored in the files, beside the configuration and what the check found.
    pub metadata: BTreeMap<String, String>,
    /// Whether a decoder takes and gives its cache. With one, an encoder-decoder becomes two
    /// files, an encoder's and a decoder's; without, one that reads both texts whole.
    pub cache: bool,
    /// Whether the file is run and compared before it is published.
    pub verify: bool,
    /// Whether it is published, and marked, where that does not hold.
    pub keep: bool,
    /// Height and width of the images that the file reads; the configuration's where it is
    /// `None`.
    pub image_size: Option<[usize; 2]>,
    /// Taps of the residual stream among the outputs.
    pub taps: TapChoice,
    /// Whether the hidden states of every layer are among the outputs.
    pub hidden_states: bool,
    /// Sizes that are fixed, by name: `batch`, `sequence` and so on.
    pub static_sizes: BTreeMap<String, usize>,
    /// Whether positions are an input, `position_ids` of `[batch, sequence]`; without it the file
    /// counts them itself.
    pub position_ids: bool,
}

impl Default for ExportOptions {
    fn default() -> Self {
        Self {
            opset: Target::Any.opset(),
            target: Target::Any,
            external_over: usize::MAX,
            metadata: BTreeMap::new(),
            cache: true,
            verify: true,
            keep: false,
            image_size: None,
            taps: TapChoice::None,
            hidden_states: false,
            static_sizes: BTreeMap::new(),
            position_ids: false,
        }
    }
}

/// One ONNX file that was written.
#[derive(Debug, Clone, Serialize)]
pub struct FileReport {
    /// The file.
    pub file: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// Its inputs, in order.
    pub inputs: Vec<String>,
    /// Its outputs, in order.
    pub outputs: Vec<String>,
}

/// What was written.
#[derive(Debug, Clone, Serialize)]
pub struct ExportReport {
    /// The exported folder.
    pub folder: PathBuf,
    /// Every ONNX file in it.
    pub files: Vec<FileReport>,
    /// The ONNX file in it; of an encoder-decoder's two the decoder's.
    pub file: PathBuf,
    /// That file's size.
    pub bytes: u64,
    /// The version of ONNX's operators.
    pub opset: i64,
    /// That file's inputs, in order.
    pub inputs: Vec<String>,
    /// That file's outputs, in order.
    pub outputs: Vec<String>,
    /// What the check found; `None` where none was asked for.
    pub verification: Option<Report>,
    /// How long the check took, in seconds.
    pub verification_seconds: f64,
    /// Why it was kept only because that was asked for; `None` where it holds.
    pub kept: Option<String>,
}

/// Why nothing was published.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The file computes something else than the model.
    #[error("the exported file does not agree with Burn, and was not kept: {}", judged(.0))]
    Disagrees(Box<Report>),
    /// No runtime could run the file.
    #[error("the exported file could not be checked, and was not kept: {0}")]
    Unverified(Error),
    /// It did not come so far.
    #[error(transparent)]
    Failed(#[from] Error),
}

impl ExportError {
    /// Whether the export was checked and did not hold; otherwise it could not be done.
    pub fn did_not_hold(&self) -> bool {
        !matches!(self, Self::Failed(_))
    }
}

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
    export_with(model, dir, options, told, |folder| {
        verify_telling(model, folder, options, told)
    })
}

/// [`export()`] with the check as a function of the written folder.
fn export_with(
    model: &Model,
    dir: &Path,
    options: &ExportOptions,
    told: Told<'_>,
    check: impl FnOnce(&Path) -> Result<Report, Error>,
) -> std::result::Result<ExportReport, ExportError> {
    let beside = beside(dir)?;
    let draft = beside.path();
    let mut written = write(model, draft, options, told)?;
    let main = written.len() - 1;
    for tower in towers(model, options)? {
        let interfaces = Interface::all(&tower.model, &tower.options)?;
        for interface in &interfaces {
            recording(tower.file, told);
            write_file(
                &tower.model,
                interface,
                &draft.join(tower.file),
                &tower.options,
            )?;
        }
        written.push(tower.file);
    }
    let start = Instant::now();
    let checked = match options.verify {
        true => Some(check(draft)),
        false => None,
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
    let parity = verification.as_ref().map(crate::verify::parity);
    let marks = [(exported::PARITY, &parity), (exported::KEPT, &kept)];
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

/// Writes the graphs that make up the model into the folder `dir`, unchecked, and gives their
/// names, in the order in which they run.
///
/// # Errors
/// When the model has no ONNX form, or a file cannot be written.
pub(crate) fn write(
    model: &Model,
    dir: &Path,
    options: &ExportOptions,
    told: Told<'_>,
) -> Result<Vec<&'static str>, Error> {
    let mut written = Vec::new();
    for interface in Interface::all(model, options)? {
        let file = interface.file();
        recording(file, told);
        write_file(model, &interface, &dir.join(file), options)?;
        written.push(file);
    }
    Ok(written)
}

/// Says that `file` is recorded and written.
fn recording(file: &str, told: Told<'_>) {
    let what = &format!("recording {file}");
    told(Step {
        what,
        done: 0,
        of: 0,
    });
}

/// What a file says of itself: its model, and what made it.
fn about(model: &Model, options: &ExportOptions) -> BTreeMap<String, String> {
    let counting = model.config().counting();
    let positions = counting.and_then(|counting| serde_json::to_string(&counting).ok());
    let own = [
        ("fluxo.family", model.family().to_string()),
        (exported::TASK, model.task().to_string()),
        ("fluxo.config", model.raw().to_json()),
        (
            exported::DTYPE,
            format!("{:?}", model.dtype()).to_lowercase(),
        ),
        (exported::TARGET, options.target.to_string()),
        (exported::OPTIONS, exported::record(options)),
        ("fluxo.version", env!("CARGO_PKG_VERSION").to_string()),
        ("burn.version", fluxo_onnx::BURN.to_string()),
    ];
    let mut about = options.metadata.clone();
    about.extend(own.map(|(key, value)| (key.to_string(), value)));
    about.extend(positions.map(|value| (exported::POSITIONS.to_string(), value)));
    about
}

/// Writes one graph to `path`, unchecked.
fn write_file(
    model: &Model,
    interface: &Interface,
    path: &Path,
    options: &ExportOptions,
) -> Result<(), Error> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(|e| io(parent, e))?;
    }
    let spec = interface.spec(model.family());
    let settings = fluxo_onnx::Options {
        opset: options.opset,
        target: options.target,
        external_over: options.external_over,
        metadata: about(model, options),
        static_sizes: interface.static_sizes(&spec, options),
        ..Default::default()
    };
    let graph = fluxo_onnx::export(&model.network, &spec, &settings, |network, args| {
        interface.forward(network, args)
    })?;
    graph.write(path)?;
    Ok(())
}

#[cfg(test)]
mod tests;
