//! What a runner gave, kept after it is gone.

use std::collections::BTreeMap;
use std::vec::IntoIter;

use crate::Tensors;

use super::{Label, Runner};
use crate::compare::Case;
use crate::error::{Error, Result};

/// The outputs of a runner for several inputs, given again in their order: so that of several
/// runtimes with large models only one is loaded at a time.
pub struct Replay {
    label: Label,
    outputs: IntoIter<Result<Tensors>>,
}

impl Replay {
    /// Runs `runner` on the inputs of every case, but for those, by number, whose outputs are
    /// `known`; `passed` is told of each.
    pub fn of(
        runner: &mut dyn Runner,
        cases: &[Case],
        mut known: BTreeMap<usize, Tensors>,
        passed: impl Fn(),
    ) -> Self {
        let mut run = |(number, (_, inputs)): (usize, &Case)| {
            let outputs = match known.remove(&number) {
                Some(outputs) => Ok(outputs),
                None => runner.run(inputs),
            };
            passed();
            outputs
        };
        let outputs: Vec<_> = cases.iter().enumerate().map(&mut run).collect();
        Self {
            label: runner.label().clone(),
            outputs: outputs.into_iter(),
        }
    }
}

impl Replay {
    /// What a runner gave elsewhere.
    pub fn given(label: Label, outputs: Vec<Result<Tensors>>) -> Self {
        let outputs = outputs.into_iter();
        Self { label, outputs }
    }

    /// All that it will give; `None` where the runner failed on any of it.
    pub fn outputs(&self) -> Option<Vec<&Tensors>> {
        let outputs = self.outputs.as_slice().iter();
        outputs.map(|outputs| outputs.as_ref().ok()).collect()
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
