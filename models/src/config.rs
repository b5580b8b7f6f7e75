//! `config.json`: typed reading with errors that name the key, in both layouts that
//! transformers writes.

use std::path::Path;

use serde_json::{Map, Value};

use crate::error::{Error, Result};

mod classes;

/// The configuration of a checkpoint.
pub const CONFIG: &str = "config.json";

/// Sizes above this are refused: no published model comes near, and a product of two still
/// fits a `usize`.
const LARGEST: u64 = 1 << 24;
/// More layers than these are refused.
const LAYERS: usize = 4096;

/// The contents of a `config.json`.
#[derive(Debug, Clone, PartialEq)]
pub struct RawConfig(pub Map<String, Value>);

impl RawConfig {
    /// Reads `config.json` at `path`.
    ///
    /// # Errors
    /// When it cannot be read or is not a JSON object.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read(path).map_err(|e| Error::io(path, e))?;
        match serde_json::from_slice(&text) {
            Ok(Value::Object(map)) => Ok(Self(map)),
            Ok(_) => Err(Error::malformed(path, "not a JSON object")),
            Err(e) => Err(Error::malformed(path, format!("not JSON ({e})"))),
        }
    }

    /// The object as text on one line.
    pub fn to_json(&self) -> String {
        Value::Object(self.0.clone()).to_string()
    }

    fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key).filter(|value| !value.is_null())
    }

    /// A size of at least 1.
    pub fn size(&self, key: &str) -> Result<usize> {
        self.size_opt(key)?.ok_or_else(|| missing(key))
    }

    /// A size of at least 1, where the key is there.
    pub fn size_opt(&self, key: &str) -> Result<Option<usize>> {
        match self.count_opt(key)? {
            Some(0) => Err(Error::Config(format!(
                "`{key}` is 0, and must be at least 1"
            ))),
            count => Ok(count),
        }
    }

    /// A count.
    pub fn count(&self, key: &str) -> Result<usize> {
        self.count_opt(key)?.ok_or_else(|| missing(key))
    }

    /// A count, where the key is there.
    pub fn count_opt(&self, key: &str) -> Result<Option<usize>> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        match value.as_u64() {
            Some(number) if number <= LARGEST => Ok(Some(number as usize)),
            _ => Err(Error::Config(format!(
                "`{key}` is {value}, and must be a whole number up to {LARGEST}"
            ))),
        }
    }

    /// A positive number.
    pub fn positive(&self, key: &str) -> Result<f64> {
        self.positive_opt(key)?.ok_or_else(|| missing(key))
    }

    /// A truth value; false where there is none.
    pub fn flag(&self, key: &str) -> Result<bool> {
        match self.get(key) {
            None => Ok(false),
            Some(Value::Bool(value)) => Ok(*value),
            Some(other) => Err(Error::Config(format!(
                "`{key}` is {other}, and must be true or false"
            ))),
        }
    }

    /// A text.
    pub fn word(&self, key: &str) -> Result<&str> {
        self.text(key)?.ok_or_else(|| missing(key))
    }

    /// A text, where the key is there.
    pub fn text(&self, key: &str) -> Result<Option<&str>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(Error::Config(format!(
                "`{key}` is {other}, and must be a text"
            ))),
        }
    }

    /// Whether it says which family and which class the model is.
    pub fn names_a_model(&self) -> bool {
        self.get("model_type").is_some() && self.architecture().is_some()
    }

    /// The first of `architectures`.
    pub fn architecture(&self) -> Option<&str> {
        self.get("architectures")?.get(0)?.as_str()
    }

    /// Token numbers that end a text: `eos_token_id`, one or several.
    pub fn end_tokens(&self) -> Vec<u32> {
        let number = |value: &Value| value.as_u64().and_then(|n| u32::try_from(n).ok());
        match self.get("eos_token_id") {
            Some(Value::Array(list)) => list.iter().filter_map(number).collect(),
            Some(value) => number(value).into_iter().collect(),
            None => Vec::new(),
        }
    }

    /// A number of layers: at least 1, and no more than any model has.
    pub fn layers(&self, key: &str) -> Result<usize> {
        let layers = self.size(key)?;
        if layers > LAYERS {
            return Err(Error::Config(format!(
                "{layers} layers (`{key}`) are more than {LAYERS}"
            )));
        }
        Ok(layers)
    }

    /// A number, where the key is there.
    pub fn number_opt(&self, key: &str) -> Result<Option<f64>> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        match value.as_f64().filter(|number| number.is_finite()) {
            Some(number) => Ok(Some(number)),
            None => Err(Error::Config(format!(
                "`{key}` is {value}, and must be a number"
            ))),
        }
    }

    /// A positive number, where the key is there.
    pub fn positive_opt(&self, key: &str) -> Result<Option<f64>> {
        match self.get(key) {
            Some(value) => positive(key, value).map(Some),
            None => Ok(None),
        }
    }

    /// An object within this one, where the key is there.
    pub fn section(&self, key: &str) -> Result<Option<Self>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Object(map)) => Ok(Some(Self(map.clone()))),
            Some(other) => Err(Error::Config(format!(
                "`{key}` is {other}, and must be an object"
            ))),
        }
    }

    /// A list of texts, where the key is there.
    pub fn texts(&self, key: &str) -> Result<Option<Vec<&str>>> {
        let refuse = || Error::Config(format!("`{key}` must be a list of texts"));
        match self.get(key) {
            None => Ok(None),
            Some(Value::Array(list)) => {
                let texts = list.iter().map(|value| value.as_str().ok_or_else(refuse));
                texts.collect::<Result<_>>().map(Some)
            }
            Some(_) => Err(refuse()),
        }
    }

    /// A list of positive numbers, where the key is there.
    pub fn positives(&self, key: &str) -> Result<Option<Vec<f64>>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Array(list)) => {
                let numbers = list.iter().map(|value| positive(key, value));
                numbers.collect::<Result<_>>().map(Some)
            }
            Some(_) => Err(Error::Config(format!("`{key}` must be a list of numbers"))),
        }
    }

    /// Height and width: one number for both, or two.
    pub fn pair(&self, key: &str) -> Result<[usize; 2]> {
        let size = |value: &Value| match value.as_u64() {
            Some(number) if (1..=LARGEST).contains(&number) => Ok(number as usize),
            _ => Err(Error::Config(format!(
                "`{key}` is {value}, and must be a whole number from 1 to {LARGEST}"
            ))),
        };
        match self.get(key) {
            Some(Value::Array(list)) if list.len() == 2 => Ok([size(&list[0])?, size(&list[1])?]),
            Some(value) => size(value).map(|size| [size, size]),
            None => Err(missing(key)),
        }
    }

    /// How many labels there are: `num_labels`, or those of `id2label`, or two.
    pub fn labels(&self) -> Result<usize> {
        self.labels_or(2)
    }

    /// How many labels there are: `num_labels`, or those of `id2label`, or `default`.
    pub fn labels_or(&self, default: usize) -> Result<usize> {
        if let Some(labels) = self.size_opt("num_labels")? {
            return Ok(labels);
        }
        match self.get("id2label") {
            Some(Value::Object(labels)) if !labels.is_empty() => Ok(labels.len()),
            _ => Ok(default),
        }
    }
}

/// A key that has no default, or is null.
fn missing(key: &str) -> Error {
    Error::Config(format!("`{key}` is missing"))
}

fn positive(key: &str, value: &Value) -> Result<f64> {
    match value.as_f64() {
        Some(number) if number.is_finite() && number > 0.0 => Ok(number),
        _ => Err(Error::Config(format!(
            "`{key}` is {value}, and must be a number over 0"
        ))),
    }
}
