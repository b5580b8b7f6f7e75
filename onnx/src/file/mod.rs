//! Reading of ONNX files: what they declare, without the weights.

mod lookups;
mod signature;
mod streamed;

use std::path::PathBuf;

pub use signature::{Dim, Port, Signature};
pub use streamed::{Streamed, copy};

/// A file that cannot be read, or is no ONNX model.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system refuses.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is no ONNX model, or one that declares what is not known here.
    #[error("{}: {reason}", path.display())]
    Model {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// Results of reading.
pub type Result<T> = std::result::Result<T, Error>;
