//! What a run is asked to do.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn_optim::AdamWConfig;
use fluxo_models::Task;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
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
    #[serde(default = "text_generation")]
    pub task: String,
    /// What is learned from, files or folders; each task has its own form.
    #[serde(default)]
    pub data: Vec<PathBuf>,
    /// The run folder.
    pub out: PathBuf,
    /// The model's size: `tiny`, `small` or `base`.
    #[serde(default = "tiny")]
    pub preset: String,
    /// A `tokenizer.json`; without one texts are read as bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<PathBuf>,
    /// The part of the data that is held back for evaluation: the end of every text file, every
    /// so many-th line or image.
    #[serde(default = "five_percent")]
    pub validation_fraction: f64,
    /// Where the first weights and the batches come from.
    #[serde(default)]
    pub seed: u64,
    /// Updates of the weights.
    #[serde(default = "steps")]
    pub steps: usize,
    /// Rows in one forward pass.
    #[serde(default = "batch_size")]
    pub batch_size: usize,
    /// Tokens in one row; longer lines are cut.
    #[serde(default = "sequence_length")]
    pub sequence_length: usize,
    /// Forward passes averaged into one update.
    #[serde(default = "one")]
    pub accumulation: usize,
    /// The learning rate after warm-up.
    #[serde(default = "learning_rate")]
    pub learning_rate: f64,
    /// The learning rate at the end; a tenth of `learning_rate` where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_learning_rate: Option<f64>,
    /// Steps of linear warm-up; a twentieth of `steps`, at most 100, where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warmup_steps: Option<usize>,
    /// Decoupled weight decay of the matrices.
    #[serde(default = "weight_decay")]
    pub weight_decay: f64,
    /// How slowly AdamW's two moments forget.
    #[serde(default = "betas")]
    pub betas: [f64; 2],
    /// What AdamW adds to its divisor.
    #[serde(default = "epsilon")]
    pub epsilon: f64,
    /// The largest norm of all gradients together; 0 for no limit.
    #[serde(default = "one_f64")]
    pub clip: f64,
    /// Steps from one line of `metrics.jsonl` to the next.
    #[serde(default = "log_every")]
    pub log_every: usize,
    /// Steps from one evaluation to the next; a tenth of `steps`, at most 250, where it is not
    /// given. The last step always evaluates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eval_every: Option<usize>,
    /// Batches in one evaluation, spread evenly over what was held back.
    #[serde(default = "eval_batches")]
    pub eval_batches: usize,
    /// Steps from one checkpoint to the next; as `eval_every` where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint_every: Option<usize>,
    /// Keys of the model's `config.json` that replace the preset's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub model: BTreeMap<String, toml::Value>,
}

fn text_generation() -> String {
    Task::TextGeneration.to_string()
}
fn tiny() -> String {
    "tiny".into()
}
fn five_percent() -> f64 {
    0.05
}
fn steps() -> usize {
    2500
}
fn batch_size() -> usize {
    8
}
fn sequence_length() -> usize {
    64
}
fn one() -> usize {
    1
}
fn learning_rate() -> f64 {
    1e-3
}
fn weight_decay() -> f64 {
    0.1
}
fn betas() -> [f64; 2] {
    [0.9, 0.95]
}
fn epsilon() -> f64 {
    1e-8
}
fn one_f64() -> f64 {
    1.0
}
fn log_every() -> usize {
    10
}
fn eval_batches() -> usize {
    8
}

impl TrainConfig {
    /// A run of `family` on `data` into `out`, everything else by default.
    pub fn new(family: &str, data: Vec<PathBuf>, out: &Path) -> Self {
        Self {
            family: family.into(),
            task: text_generation(),
            data,
            out: out.into(),
            preset: tiny(),
            tokenizer: None,
            validation_fraction: five_percent(),
            seed: 0,
            steps: steps(),
            batch_size: batch_size(),
            sequence_length: sequence_length(),
            accumulation: one(),
            learning_rate: learning_rate(),
            min_learning_rate: None,
            warmup_steps: None,
            weight_decay: weight_decay(),
            betas: betas(),
            epsilon: epsilon(),
            clip: one_f64(),
            log_every: log_every(),
            eval_every: None,
            eval_batches: eval_batches(),
            checkpoint_every: None,
            model: BTreeMap::new(),
        }
    }

    /// Reads the TOML file at `path`.
    ///
    /// # Errors
    /// When it cannot be read, or has a key or value that does not belong there; the message
    /// names the line and the known keys.
    pub fn load(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(Error::io(path))?;
        toml::from_str(&text).map_err(|e| {
            let line = e.span().map(|s| text[..s.start].matches('\n').count() + 1);
            let line = line.map(|l| format!("line {l}: ")).unwrap_or_default();
            Error::ConfigFile {
                path: path.into(),
                reason: format!("{line}{}", one_line(e.message())),
            }
        })
    }

    /// The configuration that the run in the folder `out` was started with.
    ///
    /// # Errors
    /// When there is no run in the folder.
    pub fn of_run(out: &Path) -> Result<Self> {
        let path = out.join(crate::run::CONFIG);
        if !path.is_file() {
            return Err(Error::NothingToResume(out.into()));
        }
        Ok(Self {
            out: out.into(),
            ..Self::load(&path)?
        })
    }

    /// Sets one key from its text: a TOML value, a plain word, or a list with commas.
    /// `model.KEY` is a key of the model's `config.json`.
    ///
    /// # Errors
    /// When there is no such key (the message names those there are), or the value does not fit.
    pub fn set(&mut self, key: &str, value: &str) -> Result<()> {
        let error = |reason: String| Error::Setting {
            key: key.into(),
            reason,
        };
        let parse = |text: &str| -> Option<toml::Value> {
            toml::from_str::<toml::Table>(&format!("v = {text}"))
                .ok()?
                .remove("v")
        };
        if let Some(key) = key.strip_prefix("model.") {
            let value = parse(value).unwrap_or_else(|| value.into());
            self.model.insert(key.into(), value);
            return Ok(());
        }
        let words = value
            .split(',')
            .map(|w| toml::Value::from(w.trim()))
            .collect();
        let candidates = [
            parse(value),
            Some(toml::Value::from(value)),
            parse(&format!("[{value}]")),
            Some(toml::Value::Array(words)),
        ];
        let mut first = None;
        for candidate in candidates.into_iter().flatten() {
            let mut table = toml::Table::try_from(&*self).map_err(|e| error(e.to_string()))?;
            table.insert(key.into(), candidate);
            match table.try_into::<Self>() {
                Ok(config) => {
                    *self = config;
                    return Ok(());
                }
                Err(e) => first = first.or(Some(e)),
            }
        }
        let reason = first.map(|e| one_line(e.message())).unwrap_or_default();
        Err(error(reason))
    }

    /// The same with every default filled in and paths that do not depend on the working
    /// folder.
    ///
    /// # Errors
    /// When a value is out of its range.
    pub(crate) fn resolved(&self) -> Result<Self> {
        let mut c = self.clone();
        c.min_learning_rate.get_or_insert(c.learning_rate / 10.0);
        c.warmup_steps.get_or_insert((c.steps / 20).min(100));
        let every = (c.steps / 10).clamp(1, 250);
        let every = *c.eval_every.get_or_insert(every);
        c.checkpoint_every.get_or_insert(every);
        for path in c
            .data
            .iter_mut()
            .chain(&mut c.tokenizer)
            .chain([&mut c.out])
        {
            *path = std::path::absolute(&path).map_err(Error::io(path))?;
        }
        c.check()?;
        Ok(c)
    }

    fn check(&self) -> Result<()> {
        let need = |holds: bool, what: &str| match holds {
            true => Ok(()),
            false => Err(Error::Config(what.into())),
        };
        let positive = |name: &str, value: usize| match value {
            0 => Err(Error::Config(format!("{name} = 0; it must be 1 or more"))),
            _ => Ok(()),
        };
        positive("steps", self.steps)?;
        positive("batch_size", self.batch_size)?;
        positive("sequence_length", self.sequence_length)?;
        positive("accumulation", self.accumulation)?;
        positive("log_every", self.log_every)?;
        positive("eval_batches", self.eval_batches)?;
        positive("eval_every", self.eval_every())?;
        positive("checkpoint_every", self.checkpoint_every())?;
        let rate = self.learning_rate;
        need(
            rate.is_finite() && rate > 0.0,
            "learning_rate must be a number over 0, e.g. 1e-3",
        )?;
        let floor = self.schedule().floor;
        need(
            (0.0..=rate).contains(&floor),
            "min_learning_rate must be 0 to learning_rate",
        )?;
        let decay = self.weight_decay;
        need(
            decay.is_finite() && decay >= 0.0,
            "weight_decay must be 0 or more, e.g. 0.1",
        )?;
        let held = self.betas.iter().all(|b| (0.0..1.0).contains(b));
        need(
            held,
            "betas must be two numbers from 0 to below 1, e.g. [0.9, 0.95]",
        )?;
        let epsilon = self.epsilon;
        need(
            epsilon.is_finite() && epsilon > 0.0,
            "epsilon must be over 0, e.g. 1e-8",
        )?;
        need(
            self.clip.is_finite() && self.clip >= 0.0,
            "clip must be 0 (off) or more, e.g. 1.0",
        )?;
        let part = self.validation_fraction;
        need(
            part > 0.0 && part < 1.0,
            "validation_fraction must be between 0 and 1, e.g. 0.05",
        )?;
        need(
            !self.data.is_empty(),
            "data is empty; name files or folders to learn from",
        )?;
        Ok(())
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

/// Burn's and TOML's messages run over several lines.
fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn config() -> TrainConfig {
        TrainConfig::new("gpt2", vec!["a.txt".into()], Path::new("out"))
    }

    #[test]
    fn a_file_and_new_agree_on_the_defaults() {
        let file: TrainConfig =
            toml::from_str("family = 'gpt2'\ndata = ['a.txt']\nout = 'out'").unwrap();
        assert_eq!(file, config());
    }

    #[test]
    fn keys_are_set_from_text() {
        let mut c = config();
        c.set("learning_rate", "3e-4").unwrap();
        c.set("steps", "7").unwrap();
        c.set("clip", "2").unwrap();
        c.set("betas", "0.8,0.9").unwrap();
        c.set("data", "b.txt, c").unwrap();
        c.set("out", "123").unwrap();
        c.set("model.n_layer", "3").unwrap();
        c.set("model.activation_function", "gelu").unwrap();
        assert_eq!((c.learning_rate, c.steps, c.clip), (3e-4, 7, 2.0));
        assert_eq!(c.betas, [0.8, 0.9]);
        assert_eq!(c.data, [PathBuf::from("b.txt"), "c".into()]);
        assert_eq!(c.out, PathBuf::from("123"));
        assert_eq!(c.model["n_layer"], toml::Value::from(3));
        assert_eq!(c.model["activation_function"], toml::Value::from("gelu"));
    }

    #[test]
    fn wrong_keys_and_values_are_named() {
        let mut c = config();
        let error = c.set("lr", "1").unwrap_err().to_string();
        assert!(error.starts_with("--set lr: unknown field `lr`, expected one of `family`"));
        assert!(
            error.contains("`learning_rate`") && !error.contains('\n'),
            "{error}"
        );
        let error = c.set("steps", "many").unwrap_err().to_string();
        assert!(
            error.starts_with("--set steps: invalid type: string \"many\""),
            "{error}"
        );
        assert_eq!(c, config());
    }

    #[test]
    fn a_bad_file_is_told_with_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.toml");
        std::fs::write(&path, "family = 'gpt2'\nout = 'o'\nstep = 3\n").unwrap();
        let error = TrainConfig::load(&path).unwrap_err().to_string();
        assert!(error.contains("line 3: unknown field `step`"), "{error}");
        assert!(!error.contains('\n'));
        let error = TrainConfig::of_run(dir.path()).unwrap_err().to_string();
        assert!(error.contains("no run to resume"), "{error}");
    }

    #[test]
    fn what_is_written_is_resolved_and_read_back() {
        let mut c = config();
        c.set("model.n_layer", "3").unwrap();
        let resolved = c.resolved().unwrap();
        assert_eq!(resolved.warmup_steps, Some(100));
        assert_eq!(
            (resolved.eval_every, resolved.checkpoint_every),
            (Some(250), Some(250))
        );
        assert!(resolved.out.is_absolute() && resolved.data[0].is_absolute());
        let text = toml::to_string(&resolved).unwrap();
        assert_eq!(toml::from_str::<TrainConfig>(&text).unwrap(), resolved);
    }

    #[test]
    fn values_out_of_range_are_refused() {
        for (key, value) in [
            ("steps", "0"),
            ("learning_rate", "-1.0"),
            ("learning_rate", "nan"),
            ("min_learning_rate", "1.0"),
            ("betas", "0.9,1.0"),
            ("epsilon", "0.0"),
            ("clip", "inf"),
            ("validation_fraction", "1.0"),
            ("eval_every", "0"),
            ("data", "[]"),
        ] {
            let mut c = config();
            c.set(key, value).unwrap();
            assert!(
                matches!(c.resolved(), Err(Error::Config(_))),
                "{key} = {value}"
            );
        }
    }
}
