//! Runs one model on many backends and runtimes, and says who differs.
//!
//! A [`Runner`](runner::Runner) computes outputs; [`compare()`] runs each on the same inputs and
//! measures every output of every pair ([`diff`]) where the mask keeps the position ([`mask`]);
//! [`verdict`] says how much is allowed and why, from what the [`referee`] measured where there is
//! one; [`Report`] is the table and the JSON.
//! [`artifact::open`] makes runners of a checkpoint, an exported folder or an ONNX file, and
//! [`export()`] writes an ONNX file only after the embedded runtimes agreed with Burn on it.

pub mod artifact;
pub mod bundle;
mod cases;
mod compare;
mod conclusion;
pub mod consistent;
pub mod convention;
pub mod decisions;
pub mod diff;
mod encoding;
pub mod engine;
mod error;
pub mod export;
pub mod exported;
mod figures;
pub mod graph;
pub mod greedy;
pub mod inputs;
mod interface;
mod limits;
pub mod locate;
pub mod mask;
#[cfg(feature = "flex")]
pub mod module;
pub mod page;
pub mod positions;
mod precision;
mod progress;
mod publish;
pub mod record;
pub mod referee;
pub mod report;
pub mod rounding;
pub mod runner;
pub mod samples;
mod screen;
mod serves;
mod shelf;
pub mod signature;
mod sizes;
pub mod source;
pub mod standing;
pub mod steps;
mod streamed;
pub mod stress;
mod sums;
mod taps;
#[cfg(test)]
mod testing;
pub mod timing;
mod towers;
mod values;
pub mod verdict;
mod verify;

pub use compare::{
    Case, Judging, compare, compare_cases, compare_close, compare_judged, compare_refereed,
};
pub use conclusion::{Conclusion, Outcome, Unable};
pub use error::{Error, Result};
pub use export::{ExportError, ExportOptions, ExportReport, export, export_telling};
pub use exported::Exported;
pub use fluxo_onnx::Target;
pub use graph::Graph;
#[cfg(feature = "flex")]
pub use module::verify_module;
pub use progress::{Step, Told};
pub use report::{Report, Verdict};
pub use taps::TapChoice;
pub use verify::{verify, verify_telling};

use burn::tensor::TensorData;

/// The values of a tensor of any number type, as `f64`.
fn numbers(data: &TensorData) -> std::result::Result<Vec<f64>, String> {
    data.try_to_vec_as::<f64>().map_err(|e| e.to_string())
}
