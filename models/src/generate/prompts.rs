//! What is generated for: prompts, source texts, or sound.

use burn::tensor::{Int, Tensor, TensorData};

use super::sampling::Sampling;
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::inputs;
use crate::model::Model;
use crate::network::NetworkConfig;
use crate::tensors::Tensors;

/// What is generated for, a text each.
#[derive(Debug, Clone, PartialEq)]
pub enum Prompts {
    /// Token numbers, a prompt an entry, of any lengths: texts to continue, or source texts of
    /// an encoder-decoder.
    Tokens(Vec<Vec<u32>>),
    /// Spectrograms `[batch, mel_bins, frames]` in float32.
    Sound(TensorData),
}

/// The most rows that are run at once.
const MOST_ROWS: usize = 4096;

impl Prompts {
    /// How many there are.
    pub fn count(&self) -> usize {
        match self {
            Self::Tokens(prompts) => prompts.len(),
            Self::Sound(features) => features.shape().first().copied().unwrap_or_default(),
        }
    }

    /// Each of them `times` times.
    pub(super) fn repeated(&self, times: usize) -> Self {
        match self {
            Self::Tokens(prompts) => {
                let each = prompts.iter();
                let rows = each.flat_map(|prompt| std::iter::repeat_n(prompt.clone(), times));
                Self::Tokens(rows.collect())
            }
            Self::Sound(features) => {
                let shape = features.shape().to_vec();
                let row: usize = shape.iter().skip(1).product();
                let values: Vec<f32> = features.iter::<f32>().collect();
                let rows = values.chunks_exact(row.max(1));
                let values: Vec<f32> = rows.flat_map(|row| row.repeat(times)).collect();
                let shape: Vec<usize> = std::iter::once(self.count() * times)
                    .chain(shape.into_iter().skip(1))
                    .collect();
                Self::Sound(TensorData::new(values, shape))
            }
        }
    }

    /// Refuses more rows than are run at once.
    pub(super) fn check_count(&self, rows: usize, sampling: &Sampling) -> Result<()> {
        if rows <= MOST_ROWS {
            return Ok(());
        }
        let several = match (sampling.beams, sampling.num_return_sequences) {
            (1, 1) => String::new(),
            (1, texts) => format!(" and {texts} texts of each"),
            (beams, _) => format!(" and {beams} beams"),
        };
        Err(Error::Input(format!(
            "{} prompts{several} make more than {MOST_ROWS} rows; give fewer at once",
            self.count()
        )))
    }

    /// Refuses what the model cannot read, and more than it has positions for. Texts start with
    /// `start` tokens where they do not continue the prompt, and get `new` ones, a number a
    /// prompt.
    pub(super) fn check(&self, model: &Model, start: usize, new: &[usize]) -> Result<()> {
        let refuse = |text: String| Err(Error::Input(text));
        let config = model.config();
        let most = new.iter().copied().max().unwrap_or_default();
        let written_to = (config.max_positions(), "");
        match self {
            Self::Sound(_) if !reads_sound(config) => refuse(format!(
                "a {} model reads no sound; give it text",
                model.family()
            )),
            Self::Sound(_) => fits(start, most, written_to),
            Self::Tokens(_) if reads_sound(config) => refuse(format!(
                "a {} model reads sound, no tokens; give it sound",
                model.family()
            )),
            Self::Tokens(prompts) => {
                let vocab = source(config).and_then(|stack| stack.tokens());
                let vocab = vocab.map_or(0, |tokens| tokens.vocab_size);
                for prompt in prompts {
                    check_tokens(prompt, vocab)?;
                }
                let longest = prompts.iter().map(Vec::len).max().unwrap_or_default();
                match &config.encoder {
                    Some(encoder) => {
                        // Nothing is written to the source.
                        fits(longest, 0, (encoder.max_positions, "encoder's "))?;
                        fits(start, most, written_to)
                    }
                    None => {
                        let mut each = prompts.iter().zip(new);
                        each.try_for_each(|(prompt, &new)| fits(prompt.len(), new, written_to))
                    }
                }
            }
        }
    }

    /// What the encoder reads of all prompts at once, shorter ones padded on the right.
    pub(super) fn source(&self, model: &Model) -> Result<Batch> {
        match self {
            Self::Sound(features) => spectrograms(features, model),
            Self::Tokens(prompts) => {
                let device = model.device();
                let width = prompts.iter().map(Vec::len).max().unwrap_or_default();
                let (mut ids, mut keep) = (Vec::new(), Vec::new());
                for prompt in prompts {
                    let padding = width - prompt.len();
                    ids.extend(prompt.iter().map(|&token| i64::from(token)));
                    ids.extend(std::iter::repeat_n(0, padding));
                    keep.extend(std::iter::repeat_n(1i64, prompt.len()));
                    keep.extend(std::iter::repeat_n(0, padding));
                }
                let shape = [prompts.len(), width];
                let tensor =
                    |values| Tensor::<2, Int>::from_data(TensorData::new(values, shape), &device);
                let even = prompts.iter().all(|prompt| prompt.len() == width);
                Ok(Batch {
                    attention_mask: (!even).then(|| tensor(keep)),
                    ..Batch::new(tensor(ids))
                })
            }
        }
    }
}

/// The stack that reads what is given.
fn source(config: &NetworkConfig) -> Option<&crate::stack::StackConfig> {
    config.encoder.as_ref().or(config.decoder.as_ref())
}

fn reads_sound(config: &NetworkConfig) -> bool {
    source(config).is_some_and(|stack| stack.tokens().is_none())
}

/// `features`, checked as the inputs of any other run are.
fn spectrograms(features: &TensorData, model: &Model) -> Result<Batch> {
    let rows = features.shape().first().copied().unwrap_or_default();
    let inputs = Tensors::from([
        ("input_features".to_string(), features.clone()),
        (
            "decoder_input_ids".to_string(),
            TensorData::new(vec![0i64; rows], [rows, 1]),
        ),
    ]);
    inputs::batch(&inputs, model.config(), &model.device(), model.dtype())
}

fn check_tokens(prompt: &[u32], vocab: usize) -> Result<()> {
    if prompt.is_empty() {
        return Err(Error::Input(
            "the prompt is empty: give it at least one token".into(),
        ));
    }
    match prompt.iter().find(|&&token| token as usize >= vocab) {
        Some(token) => Err(Error::Input(format!(
            "token {token} is not in the vocabulary of {vocab}"
        ))),
        None => Ok(()),
    }
}

/// Refuses more tokens than a stack has positions. The last new token is never read back, so it
/// needs none.
fn fits(given: usize, new: usize, (positions, whose): (usize, &str)) -> Result<()> {
    let needed = given.saturating_add(new.saturating_sub(1));
    if needed <= positions {
        return Ok(());
    }
    let new = match new {
        0 => String::new(),
        new => format!(" and {new} new ones"),
    };
    Err(Error::Input(format!(
        "{given} prompt tokens{new} exceed the model's {whose}{positions} positions; shorten the \
         prompt or ask for fewer"
    )))
}
