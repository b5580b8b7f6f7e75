//! What can go wrong with a checkpoint, a configuration or an input.

use std::path::{Path, PathBuf};

/// An error of this crate. Its text is one line: what, where, and the mend.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file was read and is not what it should be.
    #[error("{}: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A configuration asks for something that cannot be built.
    #[error("configuration: {0}")]
    Config(String),
    /// The family is not one of the zoo's.
    #[error("unknown family `{name}`; known families: {known}")]
    UnknownFamily {
        /// The name that was asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// The checkpoint lacks tensors that the model needs, or has them in another shape.
    #[error("{}: {}", path.display(), problems.join("; "))]
    Weights {
        /// The checkpoint's weights.
        path: PathBuf,
        /// One entry a tensor.
        problems: Vec<String>,
    },
    /// An input does not fit the model.
    #[error("input: {0}")]
    Input(String),
    /// The device does not compute in an element type.
    #[error("the backend does not compute in {dtype:?}; choose another with --dtype or --on")]
    Dtype {
        /// The element type.
        dtype: burn::tensor::DType,
    },
    /// What runs a model's passes in place of its network failed, and says so itself.
    #[error("{0}")]
    Engine(String),
    /// Text and token numbers do not go together.
    #[error("tokenizer: {0}")]
    Text(String),
}

impl Error {
    /// An [`Error::Io`] at `path`.
    pub fn io(path: &Path, source: std::io::Error) -> Self {
        Self::Io {
            path: path.to_path_buf(),
            source,
        }
    }

    /// An [`Error::Malformed`] at `path`.
    pub fn malformed(path: &Path, reason: impl ToString) -> Self {
        Self::Malformed {
            path: path.to_path_buf(),
            reason: reason.to_string(),
        }
    }
}

/// This crate's results.
pub type Result<T> = std::result::Result<T, Error>;
