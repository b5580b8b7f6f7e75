//! Runs one model of the zoo on many backends and in many runtimes, and says who differs; and exports
//! it as ONNX files that are published only after they agreed.
//!
//! Read from the top, each line uses only lines below it:
//!
//! - [`Comparison`]: one comparison from beginning to end
//! - [`bundle`], [`html`]: a finding as a folder that repeats it, and as a page
//! - [`open`](mod@open): paths and names become runners
//! - [`export`](mod@export): a model as a checked folder of ONNX files
//! - [`compare`](fn@compare): every runner on every input, every pair on every output, where the masks
//!   keep a position; [`convention`] tells another numbering of tokens from another computation
//! - [`locate`]: the module in which a runner parts from the referee
//! - [`checks`]: the same text written, hard inputs, time
//! - [`referee`]: exact outputs in float64, and how far from them rounding explains
//! - [`runner`]: models on backends, files in runtimes, processes
//! - [`files`], [`inputs`]: the ONNX files of a model, and what they are given
//!
//! Runners, tolerances and reports themselves are those of [`fluxo_verify`], which knows no model.

pub mod bundle;
mod checkpoint_cache;
pub mod checks;
mod compare;
pub mod convention;
pub mod digest;
mod encoding;
pub mod engine;
mod error;
pub mod export;
pub mod files;
pub mod html;
pub mod inputs;
pub mod locate;
mod metadata;
pub mod open;
mod precision;
mod progress;
pub mod referee;
pub mod runner;
mod session;
#[cfg(test)]
mod testing;

pub use compare::{compare, compare_cases, compare_close, compare_judged, compare_refereed};
pub use error::{Error, Result};
pub use export::{
    ExportError, ExportManifest, ExportOptions, ExportReport, TapChoice, export, export_telling,
    verify, verify_telling,
};
pub use files::OnnxModelFiles;
pub use fluxo_onnx::Target;
pub use fluxo_verify::report::{self, Conclusion, Outcome, Report, Unable, Verdict};
pub use fluxo_verify::{Case, Judging, assert_consistent, diff};
#[cfg(feature = "flex")]
pub use fluxo_verify::{module, verify_module};
pub use progress::{Step, Told};
pub use session::{Compared, Comparison};
