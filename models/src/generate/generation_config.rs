//! `generation_config.json`: what a checkpoint demands of the texts that it writes.
//!
//! Only that is taken from it: tokens that start, end, must be or must not be in a text. Its
//! temperature, beams and other habits are not: what is not asked for is greedy.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::rules::{Rules, Start};
use super::sampling::Sampling;
use super::speech;
use crate::config::Raw;
use crate::error::{Error, Result};
use crate::model::{CONFIG, Model};
use crate::task::Task;

/// What a checkpoint says of generation.
pub const GENERATION_CONFIG: &str = "generation_config.json";

impl Sampling {
    /// Greedy, with the end tokens and the rules of the checkpoint in `dir`, which `model` is
    /// from: those of `generation_config.json`, or without that file those of `config.json`,
    /// as in transformers. Numbers below 0, which are no tokens, are passed over.
    ///
    /// # Errors
    /// When the file cannot be read, or holds something else where tokens should be.
    pub fn of_checkpoint(dir: &Path, model: &Model) -> Result<Self> {
        let path = dir.join(GENERATION_CONFIG);
        let generation = match path.exists() {
            true => {
                let raw = Raw::read(&path)?;
                Some((path, raw.0))
            }
            false => None,
        };
        let reader = Reader {
            generation,
            config: (dir.join(CONFIG), &model.raw().0),
        };
        let stop = reader.either("eos_token_id").tokens()?;
        let is_stop = |word: &[u32]| matches!(word, [token] if stop.contains(token));
        let mut bad_words = reader.own("bad_words_ids").lists()?;
        bad_words.retain(|word| !word.is_empty() && !is_stop(word));
        let rules = Rules {
            start: start(&reader, model)?,
            bad_words,
            first: reader.own("forced_bos_token_id").token()?,
            last: reader.own("forced_eos_token_id").tokens()?,
            never: reader.own("suppress_tokens").tokens()?,
            never_first: reader.own("begin_suppress_tokens").tokens()?,
        };
        Ok(Self {
            stop,
            rules,
            ..Self::default()
        })
    }
}

/// What the texts of an encoder-decoder start with.
fn start(reader: &Reader<'_>, model: &Model) -> Result<Vec<Start>> {
    if !model.config().encodes_and_decodes() {
        return Ok(Vec::new());
    }
    let first = match reader.either("decoder_start_token_id").token()? {
        Some(token) => Some(token),
        None => reader.either("bos_token_id").token()?,
    };
    let mut start: Vec<Start> = first.map(Start::Token).into_iter().collect();
    if model.task() == Task::AutomaticSpeechRecognition {
        start.extend(speech::prompt(reader)?);
    }
    Ok(start)
}

/// Both files.
pub(super) struct Reader<'a> {
    generation: Option<(PathBuf, Map<String, Value>)>,
    config: (PathBuf, &'a Map<String, Value>),
}

impl Reader<'_> {
    /// The value of `key` in `generation_config.json`, or in `config.json` where there is no
    /// such file.
    pub fn own<'a>(&'a self, key: &'a str) -> Entry<'a> {
        match &self.generation {
            Some((path, map)) => Entry::of(path, map, key),
            None => Entry::of(&self.config.0, self.config.1, key),
        }
    }

    /// The value of `key` in `generation_config.json`, or where that has none in `config.json`.
    pub fn either<'a>(&'a self, key: &'a str) -> Entry<'a> {
        let own = self.own(key);
        match own.value {
            Some(_) => own,
            None => Entry::of(&self.config.0, self.config.1, key),
        }
    }
}

/// A key of a file and its value, where it has one.
pub(super) struct Entry<'a> {
    path: &'a Path,
    key: &'a str,
    pub value: Option<&'a Value>,
}

impl<'a> Entry<'a> {
    fn of(path: &'a Path, map: &'a Map<String, Value>, key: &'a str) -> Self {
        let value = map.get(key).filter(|value| !value.is_null());
        Self { path, key, value }
    }

    /// One token.
    pub fn token(&self) -> Result<Option<u32>> {
        match self.value {
            Some(value) => self.number(value),
            None => Ok(None),
        }
    }

    /// One token or several.
    pub fn tokens(&self) -> Result<Vec<u32>> {
        match self.value {
            Some(value) => self.list(value),
            None => Ok(Vec::new()),
        }
    }

    /// Lists of tokens.
    fn lists(&self) -> Result<Vec<Vec<u32>>> {
        match self.value {
            Some(Value::Array(lists)) => lists.iter().map(|list| self.list(list)).collect(),
            Some(_) => Err(self.wrong("a list of lists of tokens")),
            None => Ok(Vec::new()),
        }
    }

    fn list(&self, value: &Value) -> Result<Vec<u32>> {
        let numbers = match value {
            Value::Array(list) => list.as_slice(),
            one => std::slice::from_ref(one),
        };
        let tokens = numbers.iter().map(|value| self.number(value).transpose());
        tokens.flatten().collect()
    }

    /// A token; `None` for a number below 0, which some files have for none.
    pub fn number(&self, value: &Value) -> Result<Option<u32>> {
        match value.as_i64() {
            Some(number) if number < 0 => Ok(None),
            number => match number.map(u32::try_from) {
                Some(Ok(token)) => Ok(Some(token)),
                _ => Err(self.wrong("token numbers")),
            },
        }
    }

    /// The error that the value is not `what`.
    pub fn wrong(&self, what: &str) -> Error {
        Error::malformed(self.path, format!("`{}` must hold {what}", self.key))
    }
}
