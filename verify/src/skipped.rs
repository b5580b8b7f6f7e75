//! Who could not take part.

use serde::Serialize;

/// A runner that could not take part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// Its name.
    pub runner: String,
    /// Why not.
    pub reason: String,
}
