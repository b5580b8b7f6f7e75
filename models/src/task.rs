//! What a model's head does.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::error::Error;

/// A task, by the name that the field uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// Hidden states, no head.
    FeatureExtraction,
    /// Logits over the next token.
    TextGeneration,
}

impl Task {
    /// Every task.
    pub const ALL: [Self; 2] = [Self::FeatureExtraction, Self::TextGeneration];

    /// The task's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::FeatureExtraction => "feature-extraction",
            Self::TextGeneration => "text-generation",
        }
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Task {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|task| task.name() == name)
            .ok_or_else(|| {
                let known = Self::ALL.map(Self::name).join(", ");
                Error::Config(format!("unknown task `{name}`; known tasks: {known}"))
            })
    }
}
