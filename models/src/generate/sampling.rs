//! How the next token is chosen.

use super::rules::Rules;
use super::writer::Row;
use crate::error::{Error, Result};
use crate::model::Model;

/// How the next token is chosen. Scores are changed in this order: repetition penalty, the
/// checkpoint's rules, temperature, top-k, top-p, min-p.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampling {
    /// What scores are divided by before a draw; 0 draws nothing and always takes the
    /// likeliest token, the first of equals.
    pub temperature: f64,
    /// Only tokens as likely as the `k` likeliest may be drawn.
    pub top_k: Option<usize>,
    /// Only the likeliest tokens that together reach this probability may be drawn
    /// (arXiv:1904.09751).
    pub top_p: Option<f64>,
    /// Only tokens at least this times as likely as the likeliest may be drawn
    /// (arXiv:2407.01082).
    pub min_p: Option<f64>,
    /// What the scores of tokens that the text has already are divided by, or where they are
    /// below 0 multiplied by (arXiv:1909.05858): those of a prompt that the text continues
    /// included, those of a source text not. 1 changes nothing.
    pub repetition_penalty: f64,
    /// How many continuations of a prompt are followed at once, the likeliest of which is
    /// given; 1 follows only the one that is written. More exclude draws.
    pub beams: usize,
    /// A text's logarithmic probability is divided by its length to this power before beams
    /// are compared: over 0 favours long texts, below 0 short ones.
    pub length_penalty: f64,
    /// Where the draws start.
    pub seed: u64,
    /// Tokens that end the text; they are part of the result.
    pub stop: Vec<u32>,
    /// What the checkpoint demands.
    pub rules: Rules,
    /// Whether keys and values of what was read are kept; without, each step reads all of it
    /// again.
    pub cache: bool,
}

impl Default for Sampling {
    /// The likeliest token, on and on.
    fn default() -> Self {
        Self {
            temperature: 0.0,
            top_k: None,
            top_p: None,
            min_p: None,
            repetition_penalty: 1.0,
            beams: 1,
            length_penalty: 1.0,
            seed: 0,
            stop: Vec::new(),
            rules: Rules::default(),
            cache: true,
        }
    }
}

/// The most beams that are followed: more are a slip of the keyboard.
const MOST_BEAMS: usize = 1024;

impl Sampling {
    /// Refuses numbers that make no sense.
    pub(super) fn check(&self, model: &Model) -> Result<()> {
        let refuse = |text: String| Err(Error::Input(text));
        if !self.temperature.is_finite() || self.temperature < 0.0 {
            return refuse(format!(
                "a temperature of {} is not 0 or more",
                self.temperature
            ));
        }
        if self.top_k == Some(0) {
            return refuse("a top-k of 0 leaves no token to choose".into());
        }
        if let Some(p) = self.top_p
            && !(p > 0.0 && p <= 1.0)
        {
            return refuse(format!("a top-p of {p} is not over 0 and up to 1"));
        }
        if let Some(p) = self.min_p
            && !(0.0..=1.0).contains(&p)
        {
            return refuse(format!("a min-p of {p} is not from 0 to 1"));
        }
        let penalty = self.repetition_penalty;
        if !penalty.is_finite() || penalty <= 0.0 {
            return refuse(format!("a repetition penalty of {penalty} is not over 0"));
        }
        if !self.length_penalty.is_finite() {
            return refuse(format!(
                "a length penalty of {} is not a number",
                self.length_penalty
            ));
        }
        if !(1..=MOST_BEAMS).contains(&self.beams) {
            return refuse(format!("{} beams are not 1 to {MOST_BEAMS}", self.beams));
        }
        if self.beams > 1 && self.temperature > 0.0 {
            return refuse(format!(
                "{} beams take what is likeliest and draw nothing; leave out temperature, top-k, \
                 top-p and min-p, or the beams",
                self.beams
            ));
        }
        self.rules.check(model)
    }

    /// Changes the scores of the token after `row`, `last` where none comes after that.
    pub(super) fn change(&self, scores: &mut [f32], row: &Row, last: bool) {
        if self.repetition_penalty != 1.0 {
            repel(scores, &row.tokens, self.repetition_penalty as f32);
        }
        self.rules.change(scores, row, last);
    }
}

/// Makes the tokens of `text` less likely, each once.
fn repel(scores: &mut [f32], text: &[u32], penalty: f32) {
    let mut tokens = text.to_vec();
    tokens.sort_unstable();
    tokens.dedup();
    for token in tokens {
        if let Some(score) = scores.get_mut(token as usize) {
            *score = match *score < 0.0 {
                true => *score * penalty,
                false => *score / penalty,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_repelled_once() {
        let mut scores = [2.0, -2.0, 4.0, 0.0];
        repel(&mut scores, &[1, 0, 1, 0, 3, 9], 2.0);
        assert_eq!(scores, [1.0, -4.0, 4.0, 0.0]);
    }
}
