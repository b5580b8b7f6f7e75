//! What a forward pass is made of.

use std::collections::BTreeSet;

use burn::module::Module;

use crate::error::Result;
use crate::record::args::{Args, Outputs};
use crate::record::capture;
use crate::record::plan::Plan;
use crate::spec::Spec;
use crate::symbolic::name_of;

/// The names of the operations that Burn records of `forward`, as refusals name them:
/// `Module(LayerNorm)`, `BaseFloat(Slice)`.
///
/// # Errors
/// If the description cannot be traced, or the forward pass reads data.
pub fn operations<M: Module>(
    module: &M,
    spec: &Spec,
    forward: impl Fn(&M, &mut Args) -> Outputs,
) -> Result<BTreeSet<String>> {
    spec.validate()?;
    let sizes = spec.sizes();
    let plan = Plan::new(spec, &sizes, 1)?;
    let mut names = BTreeSet::new();
    if let Some(at) = plan.traces.first() {
        let trace = capture::trace(module, spec, &sizes, at, None, &forward)?;
        names.extend(trace.captured.graph.operations.iter().map(name_of));
    }
    Ok(names)
}
