//! What is opened.

use std::path::PathBuf;

use fluxo_models::Task;

/// A model that is given: a path that holds one and, of a checkpoint, what it is loaded for.
#[derive(Debug, Clone)]
pub struct Given {
    /// A checkpoint folder, an exported folder or an `.onnx` file.
    pub path: PathBuf,
    /// The task of the head that a checkpoint is loaded with; its own where it is `None`.
    pub task: Option<Task>,
}

impl From<PathBuf> for Given {
    fn from(path: PathBuf) -> Self {
        Self { path, task: None }
    }
}
