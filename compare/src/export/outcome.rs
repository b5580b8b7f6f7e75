//! What was written, or why nothing was.

use std::path::PathBuf;

use fluxo_verify::report::Report;
use serde::Serialize;

use super::serves::judged;
use crate::error::Error;

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
