//! How long a runner takes.

use serde::Serialize;

/// What one runner needs for one run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Timing {
    /// The runner.
    pub runner: String,
    /// How many runs were timed, after one that was not.
    pub runs: usize,
    /// The median, in milliseconds.
    pub median_ms: f64,
    /// A quarter of the runs took at most this, in milliseconds.
    pub lower_ms: f64,
    /// Three quarters of the runs took at most this, in milliseconds.
    pub upper_ms: f64,
    /// The most memory, in bytes, that a process held which loaded the model and ran once; `None`
    /// where that was not measured.
    pub peak_bytes: Option<u64>,
}
