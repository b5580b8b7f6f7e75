//! What the user sees meanwhile: a bar on a terminal, plain lines elsewhere.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::metrics::{EvalLine, TrainLine};

/// Between two plain lines.
const INTERVAL: Duration = Duration::from_secs(5);

/// Shows a run's steps on stderr.
pub(crate) enum Progress {
    Quiet,
    Bar(ProgressBar),
    Lines {
        steps: usize,
        shown: Option<Instant>,
    },
}

impl Progress {
    /// For a run of `steps`, of which `done` are behind it.
    pub(crate) fn new(quiet: bool, steps: usize, done: usize) -> Self {
        if quiet {
            return Self::Quiet;
        }
        let bar = ProgressBar::new(steps as u64);
        if bar.is_hidden() {
            return Self::Lines { steps, shown: None };
        }
        let style = "{bar:24} {pos}/{len}  {msg}  {eta} left";
        bar.set_style(ProgressStyle::with_template(style).unwrap_or(ProgressStyle::default_bar()));
        bar.set_position(done as u64);
        bar.reset_eta();
        Self::Bar(bar)
    }

    /// A line of its own.
    pub(crate) fn say(&self, text: &str) {
        match self {
            Self::Quiet => {}
            Self::Bar(bar) => bar.println(text),
            Self::Lines { .. } => eprintln!("{text}"),
        }
    }

    /// After a step.
    pub(crate) fn step(&mut self, line: &TrainLine, left: f64) {
        match self {
            Self::Quiet => {}
            Self::Bar(bar) => {
                bar.set_message(measured(line));
                bar.set_position(line.step as u64);
            }
            Self::Lines { steps, shown } => {
                let due = shown.is_none_or(|at| at.elapsed() >= INTERVAL) || line.step == *steps;
                if due {
                    *shown = Some(Instant::now());
                    let left = indicatif::HumanDuration(Duration::from_secs_f64(left));
                    eprintln!(
                        "step {}/{steps}  {}  {left} left",
                        line.step,
                        measured(line)
                    );
                }
            }
        }
    }

    /// After an evaluation.
    pub(crate) fn eval(&self, line: &EvalLine, best: bool) {
        let best = if best { ", the best so far: saved" } else { "" };
        let scores = match (line.eval_accuracy, line.eval_macro_f1) {
            (Some(accuracy), Some(f1)) => format!(", accuracy {accuracy:.4}, macro F1 {f1:.4}"),
            _ => String::new(),
        };
        self.say(&format!(
            "step {}  evaluation loss {:.4}{scores}{best}",
            line.step, line.eval_loss
        ));
    }

    /// When the run is over.
    pub(crate) fn end(&self) {
        if let Self::Bar(bar) = self {
            bar.finish();
        }
    }
}

fn measured(line: &TrainLine) -> String {
    format!(
        "loss {:.4}  rate {:.1e}  {:.0} tokens/s",
        line.loss, line.learning_rate, line.tokens_per_second
    )
}
