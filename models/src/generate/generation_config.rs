//! `generation_config.json`: how a checkpoint wants texts to be written.
//!
//! Keys mean what transformers' `generate` makes of them, and what they leave out is its
//! default. Where there is no such file, `config.json` is read for the same keys.

use std::path::Path;

use serde_json::{Map, Value};

use super::constraints::{Start, TokenConstraints};
use super::entry::Entry;
use super::reader::Reader;
use super::sampling::{EarlyStopping, Sampling};
use super::speech;
use crate::error::Result;
use crate::model::Model;
use crate::task::Task;

pub use super::reader::GENERATION_CONFIG;

/// How many of the likeliest tokens are drawn from where the file asks for draws and says no
/// number.
const USUAL_TOP_K: usize = 50;

impl Sampling {
    /// What the checkpoint in `dir`, which `model` is from, says in its `generation_config.json`,
    /// or without that file in its `config.json`.
    ///
    /// # Errors
    /// As those of [`super::Habits::of_checkpoint`].
    pub fn of_checkpoint(dir: &Path, model: &Model) -> Result<Self> {
        Ok(super::Habits::of_checkpoint(dir, model, &Map::new(), usize::MAX)?.sampling)
    }

    /// What `reader` says; `length` apart, which hangs on more.
    pub(super) fn read(reader: &Reader<'_>, model: &Model) -> Result<Self> {
        let stop = reader.own("eos_token_id").tokens()?;
        let is_stop = |word: &[u32]| matches!(word, [token] if stop.contains(token));
        let mut bad_words = reader.own("bad_words_ids").lists()?;
        bad_words.retain(|word| !word.is_empty() && !is_stop(word));
        let constraints = TokenConstraints {
            start: start(reader, model)?,
            bad_words,
            first: first(reader)?,
            last: reader.own("forced_eos_token_id").tokens()?,
            never: reader.own("suppress_tokens").tokens()?,
            never_first: reader.own("begin_suppress_tokens").tokens()?,
        };
        let one = |key| Ok(reader.own(key).float()?.unwrap_or(1.0));
        let size = |key| Ok(reader.own(key).count()?.unwrap_or_default());
        let flag = |key| Ok(reader.own(key).flag()?.unwrap_or_default());
        let sampling = Self {
            repetition_penalty: one("repetition_penalty")?,
            encoder_repetition_penalty: one("encoder_repetition_penalty")?,
            no_repeat_ngram_size: size("no_repeat_ngram_size")?,
            encoder_no_repeat_ngram_size: size("encoder_no_repeat_ngram_size")?,
            sequence_bias: biases(&reader.own("sequence_bias"))?,
            min_length: size("min_length")?,
            min_new_tokens: size("min_new_tokens")?,
            exponential_decay: decay(&reader.own("exponential_decay_length_penalty"))?,
            remove_invalid_values: flag("remove_invalid_values")?,
            renormalize: flag("renormalize_logits")?,
            beams: reader.own("num_beams").count()?.unwrap_or(1),
            length_penalty: one("length_penalty")?,
            early_stopping: early_stopping(&reader.own("early_stopping"))?,
            num_return_sequences: reader.own("num_return_sequences").count()?.unwrap_or(1),
            stop,
            stop_strings: reader.own("stop_strings").texts()?,
            constraints,
            cache: reader.own("use_cache").flag()?.unwrap_or(true),
            ..Self::default()
        };
        if draws(reader, model)? {
            sampling.drawing(reader)
        } else {
            Ok(sampling)
        }
    }

    /// The same, with draws.
    fn drawing(self, reader: &Reader<'_>) -> Result<Self> {
        let cut = |key| Ok(reader.own(key).float()?.filter(|p| *p > 0.0 && *p < 1.0));
        let usual = reader.file("do_sample").flag()? == Some(true);
        let top_k = match reader.own("top_k").count()? {
            None => Some(USUAL_TOP_K).filter(|_| usual),
            top_k => top_k.filter(|k| *k > 0),
        };
        // Of none of the probability there is still the likeliest token.
        let top_p = reader.own("top_p").float()?.filter(|p| *p != 1.0);
        let top_p = top_p.map(|p| if p == 0.0 { f64::MIN_POSITIVE } else { p });
        Ok(Self {
            temperature: reader.own("temperature").float()?.unwrap_or(1.0),
            top_k,
            top_p,
            min_p: reader.own("min_p").float()?,
            typical_p: reader.own("typical_p").float()?.filter(|p| *p != 1.0),
            epsilon_cutoff: cut("epsilon_cutoff")?,
            eta_cutoff: cut("eta_cutoff")?,
            top_h: reader.own("top_h").float()?,
            ..self
        })
    }
}

/// Whether tokens are drawn. Whisper's texts are not, whatever the file says: its own
/// `generate` draws only where a call names a temperature.
fn draws(reader: &Reader<'_>, model: &Model) -> Result<bool> {
    let key = "do_sample";
    let entry = match model.task() {
        Task::AutomaticSpeechRecognition => reader.asked(key),
        _ => reader.own(key),
    };
    Ok(entry.flag()?.unwrap_or_default())
}

/// What the texts of an encoder-decoder start with.
fn start(reader: &Reader<'_>, model: &Model) -> Result<Vec<Start>> {
    if !model.config().encodes_and_decodes() {
        return Ok(Vec::new());
    }
    let (key, usual) = ("decoder_start_token_id", "bos_token_id");
    // transformers refuses a file that has neither; config.json's is the only one meant.
    let first = [reader.own(key), reader.own(usual), reader.either(key)];
    let mut start = Vec::new();
    for entry in first {
        if start.is_empty() {
            start.extend(entry.token()?.map(Start::Token));
        }
    }
    if model.task() == Task::AutomaticSpeechRecognition {
        start.extend(speech::prompt(reader)?);
    }
    Ok(start)
}

/// The token that is forced to be first.
fn first(reader: &Reader<'_>) -> Result<Option<u32>> {
    let old = reader.own("force_bos_token_to_be_generated").flag()?;
    match old.filter(|_| !reader.has_file()) {
        Some(true) => reader.own("bos_token_id").token(),
        _ => reader.own("forced_bos_token_id").token(),
    }
}

/// Pairs of tokens and what their last one's score is raised by.
fn biases(entry: &Entry<'_>) -> Result<Vec<(Vec<u32>, f32)>> {
    let wrong = || entry.wrong("pairs of a list of tokens and a number");
    let pairs = match entry.value {
        None => return Ok(Vec::new()),
        Some(Value::Array(pairs)) => pairs,
        Some(_) => return Err(wrong()),
    };
    let pair = |pair: &Value| {
        let bias = pair.get(1).and_then(Value::as_f64).ok_or_else(wrong)?;
        let tokens = pair.get(0).and_then(Value::as_array).ok_or_else(wrong)?;
        let tokens = tokens
            .iter()
            .map(|token| entry.number(token)?.ok_or_else(wrong));
        Ok((tokens.collect::<Result<_>>()?, bias as f32))
    };
    pairs.iter().map(pair).collect()
}

/// After how many tokens the end becomes likelier, and by what.
fn decay(entry: &Entry<'_>) -> Result<Option<(usize, f64)>> {
    let Some(value) = entry.value else {
        return Ok(None);
    };
    let start = value.get(0).and_then(Value::as_u64);
    let factor = value.get(1).and_then(Value::as_f64);
    match (start.map(usize::try_from), factor) {
        (Some(Ok(start)), Some(factor)) => Ok(Some((start, factor))),
        _ => Err(entry.wrong("a number of tokens and a factor")),
    }
}

fn early_stopping(entry: &Entry<'_>) -> Result<EarlyStopping> {
    match entry.value {
        None | Some(Value::Bool(false)) => Ok(EarlyStopping::Heuristic),
        Some(Value::Bool(true)) => Ok(EarlyStopping::WhenFull),
        Some(Value::String(never)) if never == "never" => Ok(EarlyStopping::Never),
        Some(_) => Err(entry.wrong("true, false or \"never\"")),
    }
}
