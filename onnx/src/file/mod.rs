//! ONNX files written and read: what they declare and how their graphs go, without the weights; and files cut
//! out of others.

mod cut;
mod encode;
mod graph_file;
mod lookups;
mod parts;
mod proto;
mod signature;
mod stored;
mod stream;
mod streamed;
mod write;

use std::path::PathBuf;

pub use cut::{CutPort, Pieces, given};
pub use graph_file::{GraphFile, Node};
pub use signature::{Dim, Port, Signature};
pub use stored::numbers;
pub use streamed::Streamed;
pub(crate) use write::LIMIT;
pub use write::{OnnxModel, ValueSummary, append_metadata};

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
