//! Holds a Burn module to its ONNX file, to other runtimes and to other backends: in a line of a test,
//! within the module's own rounding, which is measured against float64.
//!
//! [`verify_module`] exports a module and runs its file in every runtime that is here, at sizes that
//! no recording had; [`assert_consistent!`] compares what it computes on several backends and in
//! several runtimes, for given inputs.
//!
//! Below stands what any comparison is made of: a [`Runner`](runner::Runner) computes outputs,
//! [`compare()`] runs each on the same inputs and measures every output of every pair ([`diff`]),
//! [`reference`](mod@reference) holds the exact outputs and how far from them rounding explains, and
//! [`Report`] is the table and the JSON. Nothing here knows of models' families; that is
//! `fluxo-compare`.

mod compare;
pub mod consistent;
pub mod diff;
pub mod error;
pub mod format;
pub mod inputs;
#[cfg(feature = "flex")]
pub mod module;
pub mod reference;
pub mod report;
pub mod runner;
mod skipped;
mod values;

use std::collections::BTreeMap;

use burn::tensor::TensorData;

pub use compare::{Case, Judging, Mask, MaskOf, Other, compare, compare_inputs};
pub use error::{Error, Result};
#[cfg(feature = "flex")]
pub use module::{ModuleCheck, verify_module};
pub use report::{Report, Verdict};
pub use values::numbers;

/// Tensors by their names: what a model takes or gives.
pub type Tensors = BTreeMap<String, TensorData>;
