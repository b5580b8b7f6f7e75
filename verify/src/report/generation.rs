//! How far two runners write the same text.

use serde::Serialize;

/// The texts of one runner beside those of another.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GenerationMatch {
    /// The runner.
    pub runner: String,
    /// Whose texts its own are compared with: the referee's, or the first runner's.
    pub against: String,
    /// The tokens of each row before the first that differs: the least over the rows.
    pub common: usize,
    /// How many the first wrote of each row, at least: fewer than asked for where the model has no
    /// position left.
    pub of: usize,
    /// What it wrote, row by row.
    pub tokens: Vec<Vec<i64>>,
    /// Why there are no tokens.
    pub note: Option<String>,
}
