//! What hard inputs showed.

use serde::Serialize;

/// What hard inputs showed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stress {
    /// The inputs that were tried.
    pub cases: Vec<String>,
    /// Those that the model does not take, and why.
    pub left_out: Vec<(String, String)>,
    /// The smallest inputs that still show the difference, where there is one.
    pub shrunk: Option<Shrunk>,
}

/// Inputs that were made smaller.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Shrunk {
    /// What they were made of.
    pub case: String,
    /// The names and shapes that are left.
    pub shapes: Vec<(String, Vec<usize>)>,
    /// How many comparisons that took.
    pub trials: usize,
}
