//! What can go wrong while training.

use std::path::{Path, PathBuf};

/// An error of this crate. Its text is one line: what, where, and the mend.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The training configuration cannot be used as it is.
    #[error("training configuration: {0}")]
    Config(String),
    /// A configuration file is not one.
    #[error("{}: {reason}", path.display())]
    ConfigFile {
        /// The file.
        path: PathBuf,
        /// What is wrong in it, and what it may hold.
        reason: String,
    },
    /// A `key=value` does not fit the configuration.
    #[error("--set {key}: {reason}")]
    Setting {
        /// The key.
        key: String,
        /// What is wrong with it, and what is known.
        reason: String,
    },
    /// The data cannot be learned from.
    #[error("data: {0}")]
    Data(String),
    /// There is something in the run folder, and it was not asked to go on with it.
    #[error(
        "{}: the folder is not empty; give --resume to go on with the run in it, or another --out",
        .0.display()
    )]
    Exists(PathBuf),
    /// There is no run to go on with.
    #[error("{}: no run to resume (no train.toml in it); leave --resume out to start one", .0.display())]
    NothingToResume(PathBuf),
    /// The run in the folder is of another model or other data.
    #[error(
        "{}: the run in it was started with {key} = {was}, not {now}; restore that, or give another --out",
        out.display()
    )]
    Mismatch {
        /// The run folder.
        out: PathBuf,
        /// What differs.
        key: &'static str,
        /// Its value in the run.
        was: String,
        /// The value asked for now.
        now: String,
    },
    /// A file that a resumed run needs is damaged.
    #[error(
        "{}: {reason}; the run cannot be resumed, but its best model is whole: start another run \
         in another --out",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The loss or the gradient is no number any more.
    #[error(
        "step {step}: the {what} is {value}, so nothing was saved from this step on; lower \
         learning_rate (now {learning_rate}) or clip, then --resume goes on from step {saved}"
    )]
    NotFinite {
        /// The step, counted from 1.
        step: usize,
        /// `loss` or `gradient norm`.
        what: &'static str,
        /// The value.
        value: f32,
        /// The learning rate of the configuration.
        learning_rate: f64,
        /// The step of the last checkpoint.
        saved: usize,
    },
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The device did not give a result.
    #[error("the device failed: {0}; try a smaller batch_size, or another --on")]
    Device(String),
    /// No handler for Ctrl-C could be set.
    #[error("Ctrl-C cannot be caught: {0}")]
    StackInput(#[from] ctrlc::Error),
    /// The model or its files.
    #[error(transparent)]
    Model(#[from] fluxo_models::Error),
}

impl Error {
    /// An [`Error::Io`] at `path`, for `map_err`.
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { path, source }
    }

    /// An [`Error::Damaged`] at `path`, for `map_err`.
    pub(crate) fn damaged<E: ToString>(path: &Path) -> impl FnOnce(E) -> Self {
        let path = path.to_path_buf();
        move |reason| Self::Damaged {
            path,
            reason: reason.to_string(),
        }
    }
}

/// This crate's results.
pub type Result<T> = std::result::Result<T, Error>;
