//! What a call of `generate` has to do: how far each text goes, and what ends it.

use super::prompts::Prompts;
use super::row::Row;
use super::sampling::Sampling;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::text::Text;

/// Tokens that are decoded before those of a stop string, so that the last of them reads as it
/// does in the whole text.
const BEFORE: usize = 8;

/// What is written, and how far.
pub(super) struct Job<'a> {
    pub sampling: &'a Sampling,
    /// How many tokens each prompt's text gets at most.
    pub new: Vec<usize>,
    prompts: &'a Prompts,
    text: Option<&'a Text>,
}

impl<'a> Job<'a> {
    /// The job of writing to `prompts`. Texts start with `start` tokens where they do not
    /// continue the prompt.
    ///
    /// # Errors
    /// When a prompt is not one of the model's, or leaves no token to write.
    pub fn new(
        model: &'a Model,
        prompts: &'a Prompts,
        start: usize,
        max_new_tokens: usize,
        sampling: &'a Sampling,
    ) -> Result<Self> {
        let continued = !model.config().encodes_and_decodes();
        let given = |prompt: usize| match prompts {
            Prompts::Tokens(prompts) if continued => prompts[prompt].len(),
            _ => start,
        };
        let longest = sampling.max_length.unwrap_or(usize::MAX);
        let left = |prompt| longest.saturating_sub(given(prompt)).min(max_new_tokens);
        let new: Vec<usize> = (0..prompts.count()).map(left).collect();
        prompts.check(model, start, &new)?;
        let full = (0..prompts.count()).find(|&prompt| given(prompt) >= longest);
        if let Some(prompt) = full {
            return Err(Error::Input(format!(
                "a text starts from {} tokens and has {longest} at most (max_length); ask for \
                 more, or give a shorter prompt",
                given(prompt)
            )));
        }
        Ok(Self {
            sampling,
            new,
            prompts,
            text: model.text(),
        })
    }

    /// How many tokens the longest text gets at most.
    pub fn longest(&self) -> usize {
        self.new.iter().copied().max().unwrap_or_default()
    }

    /// The tokens of a prompt or source text, where it has some.
    pub fn source(&self, prompt: usize) -> Option<&[u32]> {
        match self.prompts {
            Prompts::Tokens(prompts) => prompts.get(prompt).map(Vec::as_slice),
            Prompts::Sound(_) => None,
        }
    }

    /// Whether `token` behind `row` ends its text.
    ///
    /// # Errors
    /// When the tokenizer fails.
    pub fn ends(&self, row: &Row, token: u32) -> Result<bool> {
        if self.sampling.stop.contains(&token) {
            return Ok(true);
        }
        let strings = &self.sampling.stop_strings;
        let (Some(text), Some(longest)) = (self.text, strings.iter().map(String::len).max()) else {
            return Ok(false);
        };
        // A token is at least a byte, but for those that are no text.
        let from = row.tokens.len().saturating_sub(longest + BEFORE);
        let mut tokens = row.tokens[from..].to_vec();
        let before = text.decode(&tokens)?;
        tokens.push(token);
        let after = text.decode(&tokens)?;
        let old = before.bytes().zip(after.bytes());
        let old = old.take_while(|(a, b)| a == b).count();
        Ok(strings.iter().any(|string| {
            let mut places = after.char_indices();
            places.any(|(at, _)| at + string.len() > old && after[at..].starts_with(string))
        }))
    }
}
