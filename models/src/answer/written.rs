//! The text that an encoder-decoder writes of itself.

use std::path::Path;

use serde::Serialize;

use super::Answer;
use super::next::NextToken;
use crate::error::Error;
use crate::generate::{Prompts, Sampling, Start};
use crate::model::Model;

/// How many tokens are written here; `fluxo generate` writes more.
pub const SHORT: usize = 64;

/// A text, the likeliest token each time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Written {
    /// The text, where the model has a tokenizer.
    pub text: Option<String>,
    /// Its tokens.
    pub ids: Vec<u32>,
    /// Whether the model ended it; otherwise it goes on.
    pub ended: bool,
    /// What may come first, as [`Next`](super::Next) has it.
    pub next: Vec<NextToken>,
}

/// `next`, the answers of a run of `model` from `folder`, with the texts that it writes for
/// `prompts` behind `start`; nothing there is the checkpoint's own start. `write` writes them, up to so
/// many tokens each: [`generate_all`](crate::generate::generate_all), or what stands for it over exported
/// files.
///
/// # Errors
/// When the model cannot write for them.
pub fn written<E: From<Error>>(
    model: &Model,
    folder: &Path,
    prompts: &Prompts,
    start: &[u32],
    next: Vec<Answer>,
    write: impl FnOnce(&Prompts, usize, &Sampling) -> Result<Vec<Vec<u32>>, E>,
) -> Result<Vec<Answer>, E> {
    let mut sampling = Sampling::of_checkpoint(folder, model)?;
    if !start.is_empty() {
        sampling.constraints.start = start.iter().copied().map(Start::Token).collect();
    }
    // The last token is not read back, so it needs no position.
    let begun = sampling.constraints.start.len().max(1);
    let room = (model.config().max_positions() + 1).saturating_sub(begun);
    let most = SHORT.min(room);
    let texts = write(prompts, most, &sampling)?;
    let written = |(ids, next): (Vec<u32>, Answer)| {
        let next = match next {
            Answer::Next(next) => next.next,
            _ => Vec::new(),
        };
        Ok(Answer::Written(Written {
            text: model.text().map(|text| text.decode(&ids)).transpose()?,
            ended: ids.last().is_some_and(|last| sampling.stop.contains(last)),
            ids,
            next,
        }))
    };
    texts.into_iter().zip(next).map(written).collect()
}
