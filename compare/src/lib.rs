//! Runs one model on many backends and runtimes, and says who differs.
//!
//! A [`Runner`](runner::Runner) computes outputs; [`compare()`] runs each on the same inputs and
//! measures every output of every pair ([`diff`]) where the mask keeps the position ([`mask`]);
//! [`verdict`] says how much is allowed and why, from what the [`referee`] measured where there is
//! one; [`Report`] is the table and the JSON.
//! [`artifact::open`] makes runners of a checkpoint, an exported folder or an ONNX file, and
//! [`export()`] writes an ONNX file only after the embedded runtimes agreed with Burn on it.

pub mod artifact;
mod cases;
mod compare;
pub mod decisions;
pub mod diff;
mod error;
pub mod export;
pub mod graph;
pub mod inputs;
mod interface;
pub mod mask;
mod publish;
pub mod referee;
pub mod report;
pub mod runner;
pub mod samples;
pub mod signature;
mod sizes;
pub mod standing;
mod taps;
#[cfg(test)]
mod testing;
mod towers;
pub mod verdict;
mod verify;

pub use compare::{Case, compare, compare_cases, compare_refereed};
pub use error::{Error, Result};
pub use export::{ExportError, ExportOptions, ExportReport, export};
pub use fluxo_onnx::Target;
pub use graph::Graph;
pub use report::{Report, Verdict};
pub use taps::TapChoice;
pub use verify::verify;

use burn::tensor::TensorData;

/// The values of a tensor of any number type, as `f64`.
fn numbers(data: &TensorData) -> std::result::Result<Vec<f64>, String> {
    data.try_to_vec_as::<f64>().map_err(|e| e.to_string())
}
