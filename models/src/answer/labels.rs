//! Labels of texts and images with their scores, and texts that fit an image.
//!
//! As transformers' `text_classification.py`, `image_classification.py` and
//! `zero_shot_image_classification.py`.

use serde::Serialize;
use serde_json::Value;

use super::numbers::{Output, largest, softmax};
use super::{Asked, Row};
use crate::config::RawConfig;
use crate::error::Result;
use crate::tensors::Tensors;

/// The labels of one row, the likeliest first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Labels {
    /// All of them.
    pub labels: Vec<Label>,
    /// How the scores were made.
    pub function: Function,
}

/// One label.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Label {
    /// Its name, by `id2label`.
    pub label: String,
    /// Its probability; of a regression the number itself.
    pub score: f64,
    /// What the model gives.
    pub logit: f64,
}

/// What makes scores of logits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Function {
    /// One of the labels holds.
    Softmax,
    /// Each holds or does not.
    Sigmoid,
    /// The logits are the answer.
    None,
}

/// The names of labels: `id2label`, and transformers' `LABEL_3` where it has none.
pub(super) struct Names<'a>(Option<&'a Value>);

impl<'a> Names<'a> {
    pub fn of(raw: &'a RawConfig) -> Self {
        Self(raw.0.get("id2label"))
    }

    pub fn name(&self, label: usize) -> String {
        let names = self.0.and_then(|names| match names {
            Value::Array(names) => names.get(label),
            names => names.get(label.to_string()),
        });
        match names {
            Some(Value::String(name)) => name.clone(),
            Some(Value::Null) | None => format!("LABEL_{label}"),
            Some(other) => other.to_string(),
        }
    }
}

/// The labels of every row of `logits` `[rows, labels]`.
pub(super) fn of_rows(asked: &Asked<'_>, outputs: &Tensors) -> Result<Vec<Labels>> {
    let Some(logits) = Output::find(outputs, "logits", 2)? else {
        return Ok(Vec::new());
    };
    let names = Names::of(asked.raw);
    let function = function(asked.raw, logits.shape[1])?;
    let labels = |row| {
        let logits = logits.row(row);
        let scores = match function {
            Function::Softmax => softmax(logits),
            Function::Sigmoid => logits.iter().map(|x| 1.0 / (1.0 + (-x).exp())).collect(),
            Function::None => logits.to_vec(),
        };
        ranked(&scores, logits, function, |label| names.name(label))
    };
    Ok((0..logits.rows()).map(labels).collect())
}

/// How well the texts fit each image: `logits_per_image` `[images, texts]`.
pub(super) fn of_texts(asked: &Asked<'_>, outputs: &Tensors) -> Result<Vec<Labels>> {
    let Some(logits) = Output::find(outputs, "logits_per_image", 2)? else {
        return Ok(Vec::new());
    };
    let text = |at: usize| asked.rows.get(at).map(|Row { text, .. }| text.clone());
    let labels = |row| {
        let logits = logits.row(row);
        let scores = softmax(logits);
        let name = |at: usize| text(at).unwrap_or_else(|| format!("text {at}"));
        ranked(&scores, logits, Function::Softmax, name)
    };
    Ok((0..logits.rows()).map(labels).collect())
}

fn ranked(
    scores: &[f64],
    logits: &[f64],
    function: Function,
    name: impl Fn(usize) -> String,
) -> Labels {
    let label = |at: usize| Label {
        label: name(at),
        score: scores[at],
        logit: logits[at],
    };
    let order = largest(scores, scores.len());
    Labels {
        labels: order.into_iter().map(label).collect(),
        function,
    }
}

/// What `problem_type` says, else one label alone holds or does not, and of several one holds.
fn function(raw: &RawConfig, labels: usize) -> Result<Function> {
    Ok(match raw.text("problem_type")? {
        Some("regression") => Function::None,
        Some("multi_label_classification") => Function::Sigmoid,
        _ if labels == 1 => Function::Sigmoid,
        _ => Function::Softmax,
    })
}
