//! Which examples a batch is made of.

use super::sampler;

/// Side of the data that is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Split {
    /// Those to learn from.
    Training,
    /// Those to be evaluated on.
    Evaluation,
}

/// One row of a batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    /// The example's number within its split.
    pub(crate) example: usize,
    /// Where anything random about the row comes from.
    pub(crate) noise: u64,
}

impl Row {
    /// Row `row` of step `step`: one of `examples`, each as likely as any other.
    pub(crate) fn drawn(seed: u64, step: usize, row: usize, examples: usize) -> Self {
        let (step, row) = (step as u64, row as u64);
        Self {
            example: sampler::start(seed, step, row, examples),
            noise: sampler::noise(seed, step, row),
        }
    }

    /// The row of example `example` in every evaluation.
    pub(crate) fn evaluated(seed: u64, example: usize) -> Self {
        let noise = sampler::noise(seed, 0, example as u64); // steps count from 1
        Self { example, noise }
    }
}
