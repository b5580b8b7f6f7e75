//! What can keep two runners from being compared.

use std::path::{Path, PathBuf};

use fluxo_onnx::file;

use crate::skipped::Skipped;

/// An error of this crate. Its text is one line: what, where, and the mend.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A name in the list of runners means nothing here.
    #[error("unknown runner `{name}`; there are: {known}")]
    UnknownRunner {
        /// The name that was asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// The same runner was asked for twice.
    #[error("runner `{0}` is named twice; name it once")]
    NamedTwice(String),
    /// A comparison takes two.
    #[error(
        "nothing to compare: {0}; a comparison takes two runners, or one and expected outputs (`out.*`) in the inputs"
    )]
    TooFew(String),
    /// Fewer than two runners ran, since others failed.
    #[error("{}", failed.first().map_or("no runner ran", |first| &first.reason))]
    Unable {
        /// Who ran.
        ran: Vec<String>,
        /// Who did not, and why.
        failed: Vec<Skipped>,
    },
    /// A runtime is not on this machine.
    #[error("`{runner}` is not here: {reason}")]
    Unavailable {
        /// The runner.
        runner: String,
        /// Why, and what to do.
        reason: String,
    },
    /// A runtime could not load or run the model.
    #[error("{runner}: {reason}")]
    Runner {
        /// The runner.
        runner: String,
        /// What it said, on one line.
        reason: String,
    },
    /// The path is no model, or not one that the runner can take.
    #[error("{}: {reason}", path.display())]
    Model {
        /// The path that was given.
        path: PathBuf,
        /// What is wrong with it, and the mend.
        reason: String,
    },
    /// An input does not fit what the model declares.
    #[error("input: {0}")]
    Input(String),
    /// An input asks for more than a model has rows for.
    #[error("{runner}: {reason}")]
    OutOfRange {
        /// The runner.
        runner: String,
        /// What it asks for, and what there is.
        reason: String,
    },
    /// A file or folder could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// What stands above this crate refused.
    #[error(transparent)]
    Other(Box<dyn std::error::Error + Send + Sync>),
    /// No such backend, or not here.
    #[error(transparent)]
    Backends(#[from] fluxo_backends::Error),
    /// The model has no ONNX form.
    #[error("export: {0}")]
    Onnx(Box<fluxo_onnx::Error>),
}

impl Error {
    /// An [`Error::Runner`]: `reason` is put on one line.
    pub fn runner(runner: &str, reason: impl ToString) -> Self {
        let reason = reason.to_string();
        let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
        Self::Runner {
            runner: runner.to_string(),
            reason,
        }
    }

    /// The same error, with the inputs that it came with.
    pub fn at(self, label: &str) -> Self {
        match self {
            Self::Runner { runner, reason } => Self::Runner {
                runner,
                reason: format!("{label}: {reason}"),
            },
            Self::Unable { ran, mut failed } => {
                for skipped in &mut failed {
                    skipped.reason = format!("{label}: {}", skipped.reason);
                }
                Self::Unable { ran, failed }
            }
            other => other,
        }
    }

    /// The same error about inputs, with the runner that did not take them.
    pub fn of(self, runner: &str) -> Self {
        match self {
            Self::Input(reason) => Self::Input(format!("{runner}: {reason}")),
            other => other,
        }
    }

    /// Whether the fault lies in what was given to every runner alike: no other runner would
    /// have fared better.
    pub fn is_input(&self) -> bool {
        matches!(self, Self::Input(_) | Self::OutOfRange { .. })
    }
}

impl From<fluxo_onnx::Error> for Error {
    fn from(error: fluxo_onnx::Error) -> Self {
        Self::Onnx(Box::new(error))
    }
}

impl From<file::Error> for Error {
    fn from(error: file::Error) -> Self {
        match error {
            file::Error::Io { path, source } => Self::Io { path, source },
            file::Error::Model { path, reason } => Self::Model { path, reason },
        }
    }
}

/// What the system said of `path`.
pub fn io(path: &Path, source: std::io::Error) -> Error {
    Error::Io {
        path: path.to_path_buf(),
        source,
    }
}

/// This crate's results.
pub type Result<T> = std::result::Result<T, Error>;
