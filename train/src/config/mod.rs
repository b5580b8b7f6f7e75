//! What a run is asked to do.

mod defaults;
mod read;
mod resolve;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn_optim::AdamWConfig;
use serde::{Deserialize, Serialize};

use crate::schedule::Schedule;

/// A run's configuration: a TOML file, or defaults and `key=value` pairs.
///
/// The defaults suit a byte-level model of the `tiny` preset on two CPU cores: 1.3 million
/// tokens in about seven minutes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// The architecture, e.g. `gpt2`.
    pub family: String,
    /// What the model learns to do.
    #[serde(default = "defaults::text_generation")]
    pub task: String,
    /// What is learned from, files or folders; each task has its own form.
    #[serde(default)]
    pub data: Vec<PathBuf>,
    /// The run folder.
    pub out: PathBuf,
    /// The model's size: `tiny`, `small` or `base`.
    #[serde(default = "defaults::tiny")]
    pub preset: String,
    /// A `tokenizer.json`; without one texts are read as bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<PathBuf>,
    /// The part of the data that is held back for evaluation: the end of every text file, every
    /// so many-th line or image.
    #[serde(default = "defaults::five_percent")]
    pub validation_fraction: f64,
    /// Where the first weights and the batches come from.
    #[serde(default)]
    pub seed: u64,
    /// Updates of the weights.
    #[serde(default = "defaults::steps")]
    pub steps: usize,
    /// Rows in one forward pass.
    #[serde(default = "defaults::batch_size")]
    pub batch_size: usize,
    /// Tokens in one row; longer lines are cut.
    #[serde(default = "defaults::sequence_length")]
    pub sequence_length: usize,
    /// Forward passes averaged into one update.
    #[serde(default = "defaults::one")]
    pub accumulation: usize,
    /// The learning rate after warm-up.
    #[serde(default = "defaults::learning_rate")]
    pub learning_rate: f64,
    /// The learning rate at the end; a tenth of `learning_rate` where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_learning_rate: Option<f64>,
    /// Steps of linear warm-up; a twentieth of `steps`, at most 100, where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warmup_steps: Option<usize>,
    /// Decoupled weight decay of the matrices.
    #[serde(default = "defaults::weight_decay")]
    pub weight_decay: f64,
    /// How slowly AdamW's two moments forget.
    #[serde(default = "defaults::betas")]
    pub betas: [f64; 2],
    /// What AdamW adds to its divisor.
    #[serde(default = "defaults::epsilon")]
    pub epsilon: f64,
    /// The largest norm of all gradients together; 0 for no limit.
    #[serde(default = "defaults::one_f64")]
    pub clip: f64,
    /// Steps from one line of `metrics.jsonl` to the next.
    #[serde(default = "defaults::log_every")]
    pub log_every: usize,
    /// Steps from one evaluation to the next; a tenth of `steps`, at most 250, where it is not
    /// given. The last step always evaluates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eval_every: Option<usize>,
    /// Batches in one evaluation, spread evenly over what was held back.
    #[serde(default = "defaults::eval_batches")]
    pub eval_batches: usize,
    /// Steps from one checkpoint to the next; as `eval_every` where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint_every: Option<usize>,
    /// Keys of the model's `config.json` that replace the preset's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub model: BTreeMap<String, toml::Value>,
}

impl TrainConfig {
    /// A run of `family` on `data` into `out`, everything else by default.
    pub fn new(family: &str, data: Vec<PathBuf>, out: &Path) -> Self {
        Self {
            family: family.into(),
            task: defaults::text_generation(),
            data,
            out: out.into(),
            preset: defaults::tiny(),
            tokenizer: None,
            validation_fraction: defaults::five_percent(),
            seed: 0,
            steps: defaults::steps(),
            batch_size: defaults::batch_size(),
            sequence_length: defaults::sequence_length(),
            accumulation: defaults::one(),
            learning_rate: defaults::learning_rate(),
            min_learning_rate: None,
            warmup_steps: None,
            weight_decay: defaults::weight_decay(),
            betas: defaults::betas(),
            epsilon: defaults::epsilon(),
            clip: defaults::one_f64(),
            log_every: defaults::log_every(),
            eval_every: None,
            eval_batches: defaults::eval_batches(),
            checkpoint_every: None,
            model: BTreeMap::new(),
        }
    }

    pub(crate) fn eval_every(&self) -> usize {
        self.eval_every.unwrap_or(self.steps)
    }

    pub(crate) fn checkpoint_every(&self) -> usize {
        self.checkpoint_every.unwrap_or(self.steps)
    }

    pub(crate) fn schedule(&self) -> Schedule {
        Schedule {
            peak: self.learning_rate,
            floor: self.min_learning_rate.unwrap_or(0.0),
            warmup: self.warmup_steps.unwrap_or(0),
            steps: self.steps,
        }
    }

    pub(crate) fn adamw(&self) -> AdamWConfig {
        AdamWConfig::new()
            .with_beta_1(self.betas[0] as f32)
            .with_beta_2(self.betas[1] as f32)
            .with_epsilon(self.epsilon as f32)
            .with_weight_decay(self.weight_decay as f32)
    }
}
