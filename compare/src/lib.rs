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
pub mod convention;
mod encoding;
pub mod engine;
mod error;
pub mod export;
pub mod exported;
pub mod graph;
pub mod greedy;
pub mod inputs;
mod interface;
mod limits;
pub mod locate;
pub mod mask;
pub mod page;
pub mod positions;
mod precision;
mod progress;
mod publish;
pub mod record;
pub mod referee;
pub mod runner;
pub mod samples;
mod serves;
mod shelf;
pub mod signature;
mod sizes;
pub mod source;
pub mod steps;
pub mod stress;
mod taps;
#[cfg(test)]
mod testing;
pub mod timing;
mod towers;
mod verify;

pub use compare::{compare, compare_cases, compare_close, compare_judged, compare_refereed};
pub use error::{Error, Result};
pub use export::{ExportError, ExportOptions, ExportReport, export, export_telling};
pub use exported::Exported;
pub use fluxo_onnx::Target;
pub use fluxo_verify::report::{self, Conclusion, Outcome, Report, Unable, Verdict};
pub use fluxo_verify::{Case, Judging, assert_consistent, diff};
#[cfg(feature = "flex")]
pub use fluxo_verify::{module, verify_module};
pub use graph::Graph;
pub use progress::{Step, Told};
pub use taps::TapChoice;
pub use verify::{verify, verify_telling};
