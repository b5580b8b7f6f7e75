//! Runs one model on many backends and runtimes, and says who differs.
//!
//! A [`Runner`](runner::Runner) computes outputs; [`compare()`] runs each on the same inputs and
//! measures every output of every pair ([`diff`]) where the mask keeps the position ([`mask`]);
//! [`verdict`] says how much is allowed and why; [`Report`] is the table and the JSON.
//! [`artifact::open`] makes runners of a checkpoint, an exported folder or an ONNX file, and
//! [`export()`] writes an ONNX file only after the embedded runtimes agreed with Burn on it.

pub mod artifact;
mod compare;
pub mod diff;
mod error;
pub mod export;
pub mod inputs;
mod interface;
pub mod mask;
mod publish;
pub mod report;
pub mod runner;
pub mod samples;
pub mod signature;
#[cfg(test)]
mod testing;
pub mod verdict;
mod verify;

pub use compare::{compare, compare_cases};
pub use error::{Error, Result};
pub use export::{ExportError, ExportOptions, ExportReport, export};
pub use report::{Report, Verdict};
pub use verify::verify;

use burn::tensor::TensorData;

/// The values of a tensor of any number type, as `f64`.
fn numbers(data: &TensorData) -> std::result::Result<Vec<f64>, String> {
    data.try_to_vec_as::<f64>().map_err(|e| e.to_string())
}
