//! Who follows another convention than the checkpoint.

use serde::Serialize;

/// A runner that follows another convention.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Convention {
    /// The runner.
    pub runner: String,
    /// What is conventional.
    pub convention: &'static str,
    /// Which one it follows.
    pub follows: &'static str,
    /// The inputs that showed it.
    pub cases: Vec<String>,
}

/// What the convention is about.
const POSITIONS: &str = "positions under padding";

impl Convention {
    /// `runner` numbers tokens so: `by column`.
    pub fn new(runner: &str, follows: &'static str) -> Self {
        Self {
            runner: runner.to_string(),
            convention: POSITIONS,
            follows,
            cases: Vec::new(),
        }
    }

    /// What reports say of it.
    pub fn message(&self) -> String {
        let Self {
            runner,
            convention,
            follows,
            cases,
        } = self;
        let cases = if cases.is_empty() {
            String::new()
        } else {
            format!(" ({})", cases.join(", "))
        };
        format!(
            "{convention}: {runner} numbers tokens {follows}; given the same \
             `position_ids` the checkpoint agrees with it{cases}"
        )
    }
}
