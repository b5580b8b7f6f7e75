//! What a runner gave, kept after it is gone.

use std::vec::IntoIter;

use fluxo_models::Tensors;

use super::{Kind, Runner};
use crate::compare::Case;
use crate::error::{Error, Result};

/// The outputs of a runner for several inputs, given again in their order: so that of several
/// runtimes with large models only one is loaded at a time.
pub(crate) struct Replay {
    name: String,
    kind: Kind,
    unit: Option<f64>,
    outputs: IntoIter<Result<Tensors>>,
}

impl Replay {
    /// Runs `runner` on the inputs of every case.
    pub fn of(runner: &mut dyn Runner, cases: &[Case]) -> Self {
        let outputs: Vec<_> = cases.iter().map(|(_, inputs)| runner.run(inputs)).collect();
        Self {
            name: runner.name().to_string(),
            kind: runner.kind(),
            unit: runner.unit(),
            outputs: outputs.into_iter(),
        }
    }
}

impl Runner for Replay {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> Kind {
        self.kind
    }

    fn unit(&self) -> Option<f64> {
        self.unit
    }

    fn run(&mut self, _: &Tensors) -> Result<Tensors> {
        let over = || {
            Err(Error::runner(
                &self.name,
                "was asked more often than it was run",
            ))
        };
        self.outputs.next().unwrap_or_else(over)
    }
}
