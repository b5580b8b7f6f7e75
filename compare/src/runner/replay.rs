//! What a runner gave, kept after it is gone.

use std::vec::IntoIter;

use fluxo_models::Tensors;

use super::{Label, Runner};
use crate::compare::Case;
use crate::error::{Error, Result};

/// The outputs of a runner for several inputs, given again in their order: so that of several
/// runtimes with large models only one is loaded at a time.
pub(crate) struct Replay {
    label: Label,
    outputs: IntoIter<Result<Tensors>>,
}

impl Replay {
    /// Runs `runner` on the inputs of every case.
    pub fn of(runner: &mut dyn Runner, cases: &[Case]) -> Self {
        let outputs: Vec<_> = cases.iter().map(|(_, inputs)| runner.run(inputs)).collect();
        Self {
            label: runner.label().clone(),
            outputs: outputs.into_iter(),
        }
    }
}

impl Runner for Replay {
    fn label(&self) -> &Label {
        &self.label
    }

    fn run(&mut self, _: &Tensors) -> Result<Tensors> {
        let over = || {
            Err(Error::runner(
                &self.label.name,
                "was asked more often than it was run",
            ))
        };
        self.outputs.next().unwrap_or_else(over)
    }
}
