//! Why a stream cannot be measured. Each message is one line: what, where, the mend.

/// Why a stream cannot be measured.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The model does not run on these inputs.
    #[error(transparent)]
    Model(#[from] fluxo_models::Error),
    /// The attention mask keeps nothing.
    #[error("`attention_mask` keeps no position: set it to 1 where there are tokens")]
    NothingKept,
    /// The run gave no such tap.
    #[error("the model has no tap `{tap}`: it has no layers to look into")]
    MissingTap {
        /// The tap's name.
        tap: String,
    },
    /// The stream holds infinities or values that are not numbers.
    #[error("`{tap}` is not finite: look for the cause in the weights or inputs before it")]
    NotFinite {
        /// The first such tap.
        tap: String,
    },
    /// Shares of nothing are not defined.
    #[error("`{tap}` is zero at a kept position, so nothing has a share of it: check the weights")]
    ZeroStream {
        /// The stream's end.
        tap: String,
    },
    /// A tensor could not be read as numbers.
    #[error("`{name}` cannot be read: {reason}")]
    Values {
        /// The tensor's name.
        name: String,
        /// What Burn said.
        reason: String,
    },
}
