//! Which tokens a checkpoint demands, and which it excludes.

use super::row::Row;
use crate::error::{Error, Result};
use crate::model::Model;

/// What a checkpoint demands of the texts that it writes, whatever it finds likely.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TokenConstraints {
    /// What the texts of an encoder-decoder start with, before anything is chosen; none: the
    /// configuration's `decoder_start_token_id`.
    pub start: Vec<Start>,
    /// Sequences that are not written: the last token never follows the others. One alone is
    /// never written (`bad_words_ids`).
    pub bad_words: Vec<Vec<u32>>,
    /// The first token of a text that starts from one token alone, as an encoder-decoder's does
    /// (`forced_bos_token_id`).
    pub first: Option<u32>,
    /// One of these is the last token, where the text is as long as it may be
    /// (`forced_eos_token_id`); none: any may be.
    pub last: Vec<u32>,
    /// Tokens that are never chosen (`suppress_tokens`).
    pub never: Vec<u32>,
    /// Tokens that are not chosen first (`begin_suppress_tokens`).
    pub never_first: Vec<u32>,
}

/// A token that a text starts with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// This one.
    Token(u32),
    /// The likeliest of these, as the language of what is said.
    LikeliestOf(Vec<u32>),
}

impl TokenConstraints {
    /// Refuses tokens that the model cannot read.
    pub(super) fn check(&self, model: &Model) -> Result<()> {
        let vocab = model.config().vocab_size();
        let start = self.start.iter().flat_map(|start| match start {
            Start::Token(token) => std::slice::from_ref(token),
            Start::LikeliestOf(tokens) => tokens,
        });
        let demanded = start.chain(&self.first).chain(&self.last);
        for &token in demanded {
            if token as usize >= vocab {
                return Err(Error::Input(format!(
                    "the checkpoint's rules demand token {token}, which is not in the vocabulary \
                     of {vocab}"
                )));
            }
        }
        if let Some(Start::LikeliestOf(_)) = self.start.first() {
            return Err(Error::Input(
                "the checkpoint's rules start a text with a choice, before there is anything to \
                 choose by"
                    .into(),
            ));
        }
        let empty =
            |start: &Start| matches!(start, Start::LikeliestOf(tokens) if tokens.is_empty());
        if self.start.iter().any(empty) || self.bad_words.iter().any(Vec::is_empty) {
            return Err(Error::Input(
                "the checkpoint's rules have an empty list of tokens".into(),
            ));
        }
        Ok(())
    }

    /// What the texts of `model` start with; nothing where they continue the prompt.
    pub(super) fn start_of(&self, model: &Model) -> Result<Vec<Start>> {
        let config = model.config();
        if !config.encodes_and_decodes() {
            return Ok(Vec::new());
        }
        if !self.start.is_empty() {
            return Ok(self.start.clone());
        }
        match config.decoder_start {
            Some(token) if token < config.vocab_size() => Ok(vec![Start::Token(token as u32)]),
            Some(token) => Err(Error::Config(format!(
                "`decoder_start_token_id` is {token}, which is not in the vocabulary of {}",
                config.vocab_size()
            ))),
            None => Err(Error::Config(
                "`decoder_start_token_id` is missing, which an encoder-decoder's text starts with"
                    .into(),
            )),
        }
    }

    /// Excludes what would finish a bad word.
    pub(super) fn forbid(&self, scores: &mut [f32], row: &Row) {
        for word in &self.bad_words {
            if let Some((token, before)) = word.split_last()
                && row.tokens.ends_with(before)
            {
                exclude(scores, *token);
            }
        }
    }

    /// Leaves what must come first, and where the token after `row` is the `last`, the end.
    pub(super) fn force(&self, scores: &mut [f32], row: &Row, last: bool) {
        if let Some(token) = self.first_of(row)
            && row.tokens.len() == row.given
        {
            only(scores, &[token]);
        }
        if last && !self.last.is_empty() {
            only(scores, &self.last);
        }
    }

    /// Excludes what is never chosen, or not first.
    pub(super) fn suppress(&self, scores: &mut [f32], row: &Row) {
        exclude_all(scores, &self.never);
        let written = row.tokens.len() - row.given;
        if written == usize::from(self.first_of(row).is_some()) {
            exclude_all(scores, &self.never_first);
        }
    }

    /// The token that is forced to be first: only where the text starts from one token.
    fn first_of(&self, row: &Row) -> Option<u32> {
        self.first.filter(|_| row.given == 1)
    }
}

/// Excludes each of `tokens`.
pub(super) fn exclude_all(scores: &mut [f32], tokens: &[u32]) {
    tokens.iter().for_each(|&token| exclude(scores, token));
}

/// Makes `token` one that cannot be chosen.
pub(super) fn exclude(scores: &mut [f32], token: u32) {
    if let Some(score) = scores.get_mut(token as usize) {
        *score = f32::NEG_INFINITY;
    }
}

/// Leaves `tokens` alone, all alike.
fn only(scores: &mut [f32], tokens: &[u32]) {
    scores.fill(f32::NEG_INFINITY);
    for &token in tokens {
        if let Some(score) = scores.get_mut(token as usize) {
            *score = 0.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: f32 = f32::NEG_INFINITY;

    fn row(given: usize, tokens: &[u32]) -> Row {
        Row {
            prompt: 0,
            pad: 0,
            given,
            tokens: tokens.to_vec(),
        }
    }

    fn changed(constraints: &TokenConstraints, row: &Row, last: bool) -> [f32; 4] {
        let mut scores = [1.0, 2.0, 3.0, 4.0];
        constraints.forbid(&mut scores, row);
        constraints.force(&mut scores, row, last);
        constraints.suppress(&mut scores, row);
        scores
    }

    #[test]
    fn bad_words_are_not_finished() {
        let constraints = TokenConstraints {
            bad_words: vec![vec![0], vec![2, 3, 1]],
            ..TokenConstraints::default()
        };
        assert_eq!(
            changed(&constraints, &row(1, &[3]), false),
            [NONE, 2.0, 3.0, 4.0]
        );
        let after = row(1, &[2, 3]);
        assert_eq!(changed(&constraints, &after, false), [NONE, NONE, 3.0, 4.0]);
    }

    #[test]
    fn first_and_last_are_forced() {
        let constraints = TokenConstraints {
            first: Some(2),
            last: vec![3],
            never_first: vec![1],
            ..TokenConstraints::default()
        };
        let forced = [NONE, NONE, 0.0, NONE];
        assert_eq!(changed(&constraints, &row(1, &[0]), false), forced);
        // The forced token does not count as the first that is chosen.
        let next = row(1, &[0, 2]);
        assert_eq!(changed(&constraints, &next, false), [1.0, NONE, 3.0, 4.0]);
        let end = row(1, &[0, 2, 2]);
        assert_eq!(changed(&constraints, &end, false), [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(changed(&constraints, &end, true), [NONE, NONE, NONE, 0.0]);
        // After more than one token nothing is forced at first.
        let longer = row(2, &[0, 2]);
        assert_eq!(changed(&constraints, &longer, false), [1.0, NONE, 3.0, 4.0]);
    }

    #[test]
    fn suppressed_tokens_are_never_chosen() {
        let constraints = TokenConstraints {
            never: vec![0, 99],
            ..TokenConstraints::default()
        };
        assert_eq!(
            changed(&constraints, &row(1, &[3]), false),
            [NONE, 2.0, 3.0, 4.0]
        );
    }
}
