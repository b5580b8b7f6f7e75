//! What a run's outputs mean: labels, tokens, spans, entities, vectors, as transformers'
//! pipelines read them (5.24; question answering, which that has no more, 4.57).
//!
//! The outputs are those of any runner, so nothing here needs the weights.

mod entities;
mod labels;
mod mask;
mod next;
mod numbers;
mod span;
mod vector;
mod written;

use std::path::Path;

use serde::Serialize;

use crate::config::RawConfig;
use crate::error::{Error, Result};
use crate::task::Task;
use crate::tensors::Tensors;
use crate::text::{Reading, Text};

pub use entities::{Entities, Entity, TaggedToken};
pub use labels::{Function, Label, Labels};
pub use mask::{Masks, Proposal, Proposals};
pub use next::{Next, NextToken};
pub use span::Span;
pub use vector::Vector;
pub use written::{SHORT, Written, written};

/// How many labels or tokens are named where there are many.
pub const TOP: usize = 5;

/// What a model was asked, as far as its answer depends on it.
#[derive(Debug, Clone)]
pub struct Asked<'a> {
    /// What the model's head does.
    pub task: Task,
    /// Its `config.json`.
    pub raw: &'a RawConfig,
    /// The folder that it is in.
    pub folder: &'a Path,
    /// How it reads text.
    pub text: Option<&'a Text>,
    /// Whether a decoder writes a text of its own about them: then outputs are not of their
    /// positions.
    pub writes: bool,
    /// The texts of the rows, where they are texts.
    pub rows: &'a [Row],
}

/// One row of the inputs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Row {
    /// Which of the texts that were asked it is of: a long one makes several rows.
    pub of: usize,
    /// The text.
    pub text: String,
    /// The text that it is read together with.
    pub pair: Option<String>,
    /// Both as tokens.
    pub reading: Reading,
}

/// What one row, or one text of several rows, comes to.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// Labels of a text or an image, or texts that fit an image.
    Labels(Labels),
    /// What stands in the place of each mask.
    Masks(Masks),
    /// Where the answer to a question stands.
    Span(Span),
    /// Labels of each token, and what they make together.
    Entities(Entities),
    /// The place of a text or an image among others.
    Vector(Vector),
    /// What may come next.
    Next(Next),
    /// What was written.
    Written(Written),
}

/// What `outputs` mean, an answer for each text or image that was asked; none where the outputs
/// are not those of the task.
///
/// # Errors
/// When the outputs are misshapen, or the tokenizer fails.
pub fn answers(asked: &Asked<'_>, outputs: &Tensors) -> Result<Vec<Answer>> {
    Ok(match asked.task {
        Task::TextClassification | Task::ImageClassification => {
            let labels = labels::of_rows(asked, outputs)?;
            labels.into_iter().map(Answer::Labels).collect()
        }
        Task::ZeroShotImageClassification => {
            let labels = labels::of_texts(asked, outputs)?;
            labels.into_iter().map(Answer::Labels).collect()
        }
        Task::FillMask => each(mask::masks(asked, outputs)?, Answer::Masks),
        Task::QuestionAnswering => each(span::spans(asked, outputs)?, Answer::Span),
        Task::TokenClassification => each(entities::entities(asked, outputs)?, Answer::Entities),
        Task::FeatureExtraction | Task::ImageFeatureExtraction => {
            each(vector::vectors(asked, outputs)?, Answer::Vector)
        }
        Task::TextGeneration | Task::Text2TextGeneration | Task::AutomaticSpeechRecognition => {
            each(next::next(asked, outputs)?, Answer::Next)
        }
    })
}

fn each<T>(found: Vec<T>, answer: fn(T) -> Answer) -> Vec<Answer> {
    found.into_iter().map(answer).collect()
}

impl Asked<'_> {
    /// The tokenizer; answers that name tokens need one.
    fn tokenizer(&self) -> Result<&Text> {
        let none = || Error::Text("the model has none, so it reads no text".into());
        self.text.ok_or_else(none)
    }
}
