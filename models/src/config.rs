//! `config.json`: typed reading with errors that name the key, in both layouts that
//! transformers writes.

use std::path::Path;

use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// Sizes above this are refused: no published model comes near, and a product of two still
/// fits a `usize`.
const LARGEST: u64 = 1 << 24;

/// The contents of a `config.json`.
#[derive(Debug, Clone, PartialEq)]
pub struct Raw(pub Map<String, Value>);

impl Raw {
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

    fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key).filter(|value| !value.is_null())
    }

    /// A size of at least 1.
    pub fn size(&self, key: &str) -> Result<usize> {
        self.size_opt(key)?
            .ok_or_else(|| Error::Config(format!("`{key}` is missing")))
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

    /// A positive number, or `default`.
    pub fn positive_or(&self, key: &str, default: f64) -> Result<f64> {
        positive(key, self.get(key), default)
    }

    /// A truth value, or `default`.
    pub fn bool_or(&self, key: &str, default: bool) -> Result<bool> {
        match self.get(key) {
            None => Ok(default),
            Some(Value::Bool(value)) => Ok(*value),
            Some(other) => Err(Error::Config(format!(
                "`{key}` is {other}, and must be true or false"
            ))),
        }
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

    /// The base of the rotary frequencies. Version 5 has `rope_parameters.rope_theta`,
    /// version 4 `rope_theta` and `rope_scaling`.
    ///
    /// # Errors
    /// When the positions are scaled: no family here knows how yet.
    pub fn rotary_theta(&self) -> Result<f64> {
        let parameters = self.get("rope_parameters").or(self.get("rope_scaling"));
        let kind = parameters
            .and_then(|p| p.get("rope_type").or(p.get("type")))
            .and_then(Value::as_str)
            .unwrap_or("default");
        if kind != "default" {
            return Err(Error::Config(format!(
                "rotary scaling `{kind}` is not supported; only `default` is"
            )));
        }
        let theta = parameters
            .and_then(|p| p.get("rope_theta"))
            .or(self.get("rope_theta"));
        positive("rope_theta", theta, 10_000.0)
    }
}

fn positive(key: &str, value: Option<&Value>, default: f64) -> Result<f64> {
    let Some(value) = value else {
        return Ok(default);
    };
    match value.as_f64() {
        Some(number) if number.is_finite() && number > 0.0 => Ok(number),
        _ => Err(Error::Config(format!(
            "`{key}` is {value}, and must be a number over 0"
        ))),
    }
}
