//! What a run measures: `metrics.jsonl`, and the summary at the end.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// One line of `metrics.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Line {
    Train(TrainLine),
    Eval(EvalLine),
}

/// What a training step measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct TrainLine {
    pub(crate) step: usize,
    pub(crate) loss: f32,
    pub(crate) learning_rate: f64,
    /// Of all gradients together, before clipping.
    pub(crate) gradient_norm: f32,
    pub(crate) tokens_per_second: f64,
    /// Since the run began, pauses left out.
    pub(crate) seconds: f64,
}

/// What an evaluation measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct EvalLine {
    pub(crate) step: usize,
    pub(crate) eval_loss: f32,
    /// The share of right classes, where the task has classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) eval_accuracy: Option<f64>,
    /// The mean F1 of the classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) eval_macro_f1: Option<f64>,
    pub(crate) seconds: f64,
}

impl Line {
    pub(crate) fn step(&self) -> usize {
        match self {
            Self::Train(line) => line.step,
            Self::Eval(line) => line.step,
        }
    }
}

/// The lines of a run, in memory and in its file.
pub(crate) struct Metrics {
    path: PathBuf,
    pub(crate) lines: Vec<Line>,
}

impl Metrics {
    /// The lines up to `step` of the file at `path`, which loses the others: a run that was
    /// killed has gone on after its last checkpoint, and the last line may be cut.
    pub(crate) fn open(path: PathBuf, step: usize) -> Result<Self> {
        let text = match std::fs::read_to_string(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
            other => other.map_err(Error::io(&path))?,
        };
        let read = |line| {
            serde_json::from_str::<Line>(line)
                .ok()
                .filter(|l| l.step() <= step)
        };
        let lines: Vec<Line> = text.lines().map_while(read).collect();
        let kept: Vec<&str> = text.lines().take(lines.len()).collect();
        fluxo_models::files::write_atomic(&path, |file| {
            kept.iter().try_for_each(|line| writeln!(file, "{line}"))
        })?;
        Ok(Self { path, lines })
    }

    /// Adds a line, on disk as well.
    pub(crate) fn push(&mut self, line: Line) -> Result<()> {
        let write = || -> std::io::Result<()> {
            let mut text = serde_json::to_string(&line)?;
            text.push('\n');
            std::fs::OpenOptions::new()
                .append(true)
                .open(&self.path)?
                .write_all(text.as_bytes())
        };
        write().map_err(Error::io(&self.path))?;
        self.lines.push(line);
        Ok(())
    }

    /// The training losses by step.
    pub(crate) fn losses(&self) -> Vec<(usize, f32)> {
        let loss = |line: &Line| match line {
            Line::Train(l) => Some((l.step, l.loss)),
            Line::Eval(_) => None,
        };
        self.lines.iter().filter_map(loss).collect()
    }

    /// The evaluation losses by step.
    pub(crate) fn eval_losses(&self) -> Vec<(usize, f32)> {
        let loss = |line: &Line| match line {
            Line::Eval(l) => Some((l.step, l.eval_loss)),
            Line::Train(_) => None,
        };
        self.lines.iter().filter_map(loss).collect()
    }
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// The run folder, a checkpoint of the best model.
    pub out: PathBuf,
    /// The architecture.
    pub family: String,
    /// Numbers the model learns.
    pub parameters: usize,
    /// Whether the stop flag ended the run before its last step.
    pub stopped: bool,
    /// Updates done, those before a resumption included.
    pub steps: usize,
    /// Tokens read in them, padding left out; of images patches.
    pub tokens: u64,
    /// Seconds they took, evaluation included.
    pub seconds: f64,
    /// The training loss of the first step, in nats an answer: a token, or a label.
    pub first_loss: f32,
    /// The training loss of the last step.
    pub last_loss: f32,
    /// The lowest evaluation loss, which is that of the model in `out`; none before the first
    /// evaluation.
    pub best_eval_loss: Option<f32>,
    /// The step it was at.
    pub best_step: Option<usize>,
    /// The share of evaluated examples whose class that model chooses, where the task has classes.
    pub accuracy: Option<f64>,
    /// The mean over those classes of the harmonic mean of precision and recall.
    pub macro_f1: Option<f64>,
    /// Training losses by step, as logged.
    pub losses: Vec<(usize, f32)>,
    /// Evaluation losses by step.
    pub eval_losses: Vec<(usize, f32)>,
}

/// Reads a JSON file.
pub(crate) fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    let bytes = std::fs::read(path).map_err(Error::io(path))?;
    serde_json::from_slice(&bytes).map_err(Error::damaged(path))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn train(step: usize, loss: f32) -> Line {
        Line::Train(TrainLine {
            step,
            loss,
            learning_rate: 1e-3,
            gradient_norm: 0.1,
            tokens_per_second: 3.5,
            seconds: 0.25,
        })
    }

    #[test]
    fn a_resumed_file_ends_at_the_checkpoint() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("metrics.jsonl");
        let mut m = Metrics::open(path.clone(), 0).unwrap();
        m.push(train(1, 0.1)).unwrap();
        m.push(Line::Eval(EvalLine {
            step: 1,
            eval_loss: 0.3,
            eval_accuracy: None,
            eval_macro_f1: None,
            seconds: 1.0,
        }))
        .unwrap();
        m.push(train(2, 0.2)).unwrap();
        m.push(train(3, 0.05)).unwrap();
        let mut text = std::fs::read_to_string(&path).unwrap();
        text.push_str("{\"step\":4,\"lo"); // as a kill leaves it
        std::fs::write(&path, text).unwrap();
        let m = Metrics::open(path.clone(), 9).unwrap();
        assert_eq!(m.lines.len(), 4);
        let m = Metrics::open(path.clone(), 2).unwrap();
        assert_eq!(m.losses(), [(1, 0.1), (2, 0.2)]);
        assert_eq!(m.eval_losses(), [(1, 0.3)]);
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 3);
    }
}
