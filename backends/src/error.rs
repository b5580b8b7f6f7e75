//! Why a name gives no device. Each message is one line: what, where, the mend.

use crate::BackendName;

/// Why a name gives no device.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No backend has this name.
    #[error("unknown backend `{name}`: {hint}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// The nearest known name, or all of them.
        hint: String,
    },
    /// The part after the colon is not a number.
    #[error("backend `{name}`: `{index}` is not a device index; write a number, as in `{kind}:0`")]
    Index {
        /// What was asked for.
        name: String,
        /// The part after the colon.
        index: String,
        /// The part before it.
        kind: &'static str,
    },
    /// `:unfused` behind a backend without fusion.
    #[error("backend `{name}`: `{kind}` fuses nothing anyway; write `{kind}`")]
    FusesNothing {
        /// What was asked for.
        name: String,
        /// The part before the colon.
        kind: &'static str,
    },
    /// The backend exists, but this build does not hold it.
    #[error("backend `{name}` is not in this build: rebuild with `--features {name}`")]
    NotCompiled {
        /// The backend, also the cargo feature that brings it.
        name: &'static str,
    },
    /// The backend is compiled in, but its driver or this device is not on this machine.
    #[error("backend `{name}` is not on this machine: {found}; {mend}")]
    NotPresent {
        /// What was asked for.
        name: BackendName,
        /// What was found instead.
        found: String,
        /// What to do.
        mend: String,
    },
    /// The device is there, but cannot be used.
    #[error("backend `{name}` cannot be used: {reason}")]
    Unusable {
        /// What was asked for.
        name: BackendName,
        /// Why, and what to do.
        reason: String,
    },
}
