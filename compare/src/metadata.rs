//! The keys of what an exported file says of itself.

/// The key of the options in a file's metadata.
pub(crate) const OPTIONS: &str = "fluxo.options";
/// The key of the task.
pub(crate) const TASK: &str = "fluxo.task";
/// The key of the weights' element type.
pub(crate) const DTYPE: &str = "fluxo.dtype";
/// The key of how the model counts positions that are not given.
pub(crate) const POSITIONS: &str = "fluxo.positions";
/// The key of the operators' target.
pub(crate) const TARGET: &str = "fluxo.target";
/// The key of how near the runtimes came.
pub(crate) const PARITY: &str = "fluxo.parity";
/// The key of why a file was kept only because that was asked for.
pub const KEPT: &str = "fluxo.kept";
/// The key of the source checkpoint's digest ([`crate::digest::digest`]).
pub const SOURCE: &str = "fluxo.source.sha256";
