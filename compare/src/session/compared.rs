//! What a comparison found.

use std::collections::BTreeMap;

use fluxo_models::Tensors;
use fluxo_verify::report::{Conclusion, Report};

/// What was found.
#[derive(Debug)]
pub struct Compared {
    /// Everything, its conclusion among it.
    pub report: Report,
    /// The report's last line.
    pub conclusion: Conclusion,
    /// The inputs that it is about: the only ones, or the smallest that show a difference. `None`
    /// where nothing could be opened.
    pub inputs: Option<Tensors>,
    /// What each runner gave for them, by its name, where that was to be recorded.
    pub outputs: Option<BTreeMap<String, Tensors>>,
}
