//! How the next token is chosen.

use super::constraints::TokenConstraints;
use crate::error::{Error, Result};
use crate::model::Model;

/// How the next token is chosen. Scores are changed in transformers' order: biases, repetition
/// penalties, repeated n-grams, the checkpoint's rules and least lengths (`processors.rs`); and
/// for a draw temperature, top-h, top-k, top-p, min-p, typical-p and the cut-offs (`warpers.rs`).
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
    /// Only tokens whose information is near the entropy, and that together reach this
    /// probability, may be drawn (arXiv:2202.00666).
    pub typical_p: Option<f64>,
    /// Only tokens of at least this probability may be drawn (arXiv:2210.15191).
    pub epsilon_cutoff: Option<f64>,
    /// The same, but less where the entropy is high (arXiv:2210.15191).
    pub eta_cutoff: Option<f64>,
    /// Only the likeliest tokens that together have up to this part of the entropy may be drawn
    /// (arXiv:2509.02510).
    pub top_h: Option<f64>,
    /// What the scores of tokens that the text has already are divided by, or where they are
    /// below 0 multiplied by (arXiv:1909.05858): those of a prompt that the text continues
    /// included, those of a source text not. 1 changes nothing.
    pub repetition_penalty: f64,
    /// What the scores of the prompt's or source text's tokens are multiplied by, or where they
    /// are below 0 divided by: over 1 makes them likelier, and 1 changes nothing.
    pub encoder_repetition_penalty: f64,
    /// No run of so many tokens is in the text twice, the prompt included; 0 allows all.
    pub no_repeat_ngram_size: usize,
    /// No run of so many tokens of the prompt or source text is written; 0 allows all.
    pub encoder_no_repeat_ngram_size: usize,
    /// What is added to the score of the last token of each sequence behind the others.
    pub sequence_bias: Vec<(Vec<u32>, f32)>,
    /// The text does not end before it has so many tokens, with a prompt that it continues or
    /// the start of an encoder-decoder's text.
    pub min_length: usize,
    /// The text does not end before so many tokens are written.
    pub min_new_tokens: usize,
    /// How many tokens a text has at most, with a prompt that it continues or the start of an
    /// encoder-decoder's text.
    pub max_length: Option<usize>,
    /// From so many written tokens on, the end is the likelier by this factor to the power of
    /// the tokens after those.
    pub exponential_decay: Option<(usize, f64)>,
    /// Whether scores that are no numbers are made some, and not refused.
    pub remove_invalid_values: bool,
    /// Whether the changed scores are made logarithmic probabilities again, which counts where
    /// beams are compared.
    pub renormalize: bool,
    /// How many continuations of a prompt are followed at once, the likeliest of which is
    /// given; 1 follows only the one that is written. More exclude draws.
    pub beams: usize,
    /// A text's logarithmic probability is divided by its length to this power before beams
    /// are compared: over 0 favours long texts, below 0 short ones.
    pub length_penalty: f64,
    /// When a search with beams is over.
    pub early_stopping: EarlyStopping,
    /// How many texts a prompt gets: draws, or the best of the beams.
    pub num_return_sequences: usize,
    /// Where the draws start.
    pub seed: u64,
    /// Tokens that end the text; they are part of the result.
    pub stop: Vec<u32>,
    /// Strings that end the text, where the last token completes one; they are part of the
    /// result.
    pub stop_strings: Vec<String>,
    /// What the checkpoint demands.
    pub constraints: TokenConstraints,
    /// Whether keys and values of what was read are kept; without, each step reads all of it
    /// again.
    pub cache: bool,
}

/// When a search with beams is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EarlyStopping {
    /// When as many texts are finished as there are beams, and none that goes on is, at its
    /// present length, better than the worst of them.
    #[default]
    Heuristic,
    /// When as many texts are finished as there are beams.
    WhenFull,
    /// When none that goes on can become better than the worst of them.
    Never,
}

impl Default for Sampling {
    /// The likeliest token, on and on.
    fn default() -> Self {
        Self {
            temperature: 0.0,
            top_k: None,
            top_p: None,
            min_p: None,
            typical_p: None,
            epsilon_cutoff: None,
            eta_cutoff: None,
            top_h: None,
            repetition_penalty: 1.0,
            encoder_repetition_penalty: 1.0,
            no_repeat_ngram_size: 0,
            encoder_no_repeat_ngram_size: 0,
            sequence_bias: Vec::new(),
            min_length: 0,
            min_new_tokens: 0,
            max_length: None,
            exponential_decay: None,
            remove_invalid_values: false,
            renormalize: false,
            beams: 1,
            length_penalty: 1.0,
            early_stopping: EarlyStopping::default(),
            num_return_sequences: 1,
            seed: 0,
            stop: Vec::new(),
            stop_strings: Vec::new(),
            constraints: TokenConstraints::default(),
            cache: true,
        }
    }
}

/// The most beams that are followed: more are a slip of the keyboard.
const MOST_BEAMS: usize = 1024;

impl Sampling {
    /// How many texts a row that is written gives.
    pub(super) fn texts_of_a_row(&self) -> usize {
        match self.beams {
            1 => 1,
            _ => self.num_return_sequences,
        }
    }

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
        let between = [
            (self.typical_p, "typical-p", 1.0),
            (self.epsilon_cutoff, "epsilon cut-off", 1.0),
            (self.eta_cutoff, "eta cut-off", 1.0),
            (self.top_h, "top-h", 1.0),
        ];
        for (value, name, most) in between {
            if let Some(p) = value
                && !(p > 0.0 && p <= most)
            {
                return refuse(format!("a {name} of {p} is not over 0 and up to {most}"));
            }
        }
        let penalties = [
            (self.repetition_penalty, "a repetition penalty"),
            (
                self.encoder_repetition_penalty,
                "an encoder repetition penalty",
            ),
        ];
        for (penalty, name) in penalties {
            if !penalty.is_finite() || penalty <= 0.0 {
                return refuse(format!("{name} of {penalty} is not over 0"));
            }
        }
        if let Some((_, factor)) = self.exponential_decay
            && !factor.is_finite()
        {
            return refuse(format!("an exponential decay by {factor} is not a number"));
        }
        if self
            .sequence_bias
            .iter()
            .any(|(tokens, _)| tokens.is_empty())
        {
            return refuse("a sequence that is biased has no tokens".into());
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
        let greedy = self.temperature == 0.0 && self.beams == 1;
        match self.num_return_sequences {
            0 => return refuse("0 texts a prompt are none to write".into()),
            1 => {}
            texts if greedy => {
                return refuse(format!(
                    "{texts} texts a prompt need draws (--temperature) or beams (--beams); the \
                     likeliest is one"
                ));
            }
            texts if self.beams > 1 && texts > self.beams => {
                return refuse(format!(
                    "{texts} texts a prompt are more than the {} beams",
                    self.beams
                ));
            }
            _ => {}
        }
        if !self.stop_strings.is_empty() && model.text().is_none() {
            return refuse("strings that end a text need the model's tokenizer".into());
        }
        self.constraints.check(model)
    }
}
