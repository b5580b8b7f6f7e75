//! What can go wrong between a module and its file.

use std::path::PathBuf;

/// The result of an export step.
pub type Result<T> = std::result::Result<T, Error>;

/// One recorded operation that has no ONNX form here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsupported {
    /// The operation, as Burn's recorder names it.
    pub operation: String,
    /// The module path nearest to it; empty at the root.
    pub module: String,
    /// Why, where there is more to say than the name.
    pub reason: Option<String>,
}

impl std::fmt::Display for Unsupported {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} in `{}`", self.operation, place(&self.module))?;
        match &self.reason {
            Some(reason) => write!(f, " ({reason})"),
            None => Ok(()),
        }
    }
}

/// Where two traces part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// Position of the first difference in the recorded sequence.
    pub index: usize,
    /// The module path nearest to it.
    pub module: String,
    /// The first trace's operation and sizes.
    pub left: (String, String),
    /// The other trace's operation and sizes.
    pub right: (String, String),
    /// What may be done about it.
    pub advice: Option<String>,
}

impl std::fmt::Display for Divergence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            index,
            module,
            left,
            right,
            advice,
        } = self;
        write!(
            f,
            "operation {index} in `{module}` is {} at {} and {} at {}",
            left.0, left.1, right.0, right.1
        )?;
        match advice {
            Some(advice) => write!(f, "; {advice}"),
            None => Ok(()),
        }
    }
}

impl Error {
    /// The same, and what may be done about it.
    pub(crate) fn advise(mut self, text: String) -> Self {
        match &mut self {
            Self::Diverges(at) => at.advice = Some(text),
            Self::NoClosedForm { seen, .. } => *seen = format!("{seen}; {text}"),
            _ => {}
        }
        self
    }
}

/// A module path for a message: the root has no name of its own.
pub(crate) fn place(module: &str) -> &str {
    if module.is_empty() {
        "the model"
    } else {
        module
    }
}

fn list(items: &[Unsupported]) -> String {
    items
        .iter()
        .map(Unsupported::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}

/// An error of the exporter.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The description of inputs cannot be traced.
    #[error("the input description is not usable: {0}")]
    Spec(String),

    /// The closure asked for an input that the description does not have in this form.
    #[error("input `{name}`: {reason}")]
    Argument {
        /// The input's name.
        name: String,
        /// What does not fit.
        reason: String,
    },

    /// The forward pass panicked while it was recorded, most often because it read a tensor's data.
    #[error("the forward pass failed while it was recorded at {sizes}: {message}")]
    Forward {
        /// The panic's message and place.
        message: String,
        /// The sizes of the trace.
        sizes: String,
    },

    /// Burn refused the recording.
    #[error("the recording is not usable: {0}")]
    Capture(String),

    /// Two traces record different operations.
    #[error("the forward pass takes different ways at different sizes: {0}")]
    Diverges(Box<Divergence>),

    /// A number of the graph changes with the sizes, in no way that can be written down.
    #[error("{what} in `{module}` depends on {sizes} and has no closed form ({seen})")]
    NoClosedForm {
        /// The number or constant.
        what: String,
        /// The module path nearest to it.
        module: String,
        /// The sizes that it varies with.
        sizes: String,
        /// Observed values.
        seen: String,
    },

    /// Operations without an ONNX form: all of them, not the first.
    #[error("{} unsupported operation(s): {}", .0.len(), list(.0))]
    Unsupported(Vec<Unsupported>),

    /// An option that cannot be served.
    #[error("option {0}")]
    Option(String),

    /// The graph failed the exporter's own check; this is a bug of the exporter.
    #[error("the exported graph is not sound (a bug of fluxo-onnx): {0}")]
    Unsound(String),

    /// The file could not be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The destination.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}
