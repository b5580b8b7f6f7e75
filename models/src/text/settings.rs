//! `tokenizer_config.json` and `special_tokens_map.json`: what a checkpoint says about its
//! tokenizer beside the tokenizer itself.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// The settings of a tokenizer.
pub const TOKENIZER_CONFIG: &str = "tokenizer_config.json";
/// Its special tokens, in the layout before `added_tokens_decoder`.
pub const SPECIAL_TOKENS_MAP: &str = "special_tokens_map.json";

/// What the two files say, merged as transformers merges them.
#[derive(Debug, Clone, Default)]
pub(crate) struct TokenizerSettings {
    map: Map<String, Value>,
    /// The files that were there.
    pub files: Vec<PathBuf>,
}

impl TokenizerSettings {
    /// Reads the files of `dir` that are there.
    pub fn read(dir: &Path) -> Result<Self> {
        let mut settings = Self::default();
        let config = dir.join(TOKENIZER_CONFIG);
        if config.exists() {
            settings.map = read_object(&config)?;
            settings.files.push(config);
        }
        let special = dir.join(SPECIAL_TOKENS_MAP);
        if special.exists() {
            // With `added_tokens_decoder` the configuration is complete, and the map is not read.
            if !settings.map.contains_key("added_tokens_decoder") {
                settings.map.extend(read_object(&special)?);
            }
            settings.files.push(special);
        }
        Ok(settings)
    }

    /// The value of `key`, where it is there and not null.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    /// The truth value of `key`, where it is one.
    pub fn flag(&self, key: &str) -> Option<bool> {
        self.get(key).and_then(Value::as_bool)
    }

    /// The special token `key` (`bos_token`, …), where there is one.
    pub fn token(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(content)
    }

    /// The texts of the list `key`, where it is one.
    pub fn texts(&self, key: &str) -> Option<Vec<String>> {
        let list = self.get(key)?.as_array()?.iter();
        list.map(|text| text.as_str().map(String::from)).collect()
    }

    /// Whether `key` is said to be nothing.
    pub fn is_null(&self, key: &str) -> bool {
        self.map.get(key).is_some_and(Value::is_null)
    }

    /// The class that transformers reads the tokenizer with, where one is named that says
    /// more than that there is a tokenizer.
    pub fn token_class(&self) -> Option<&str> {
        let class = self.get("tokenizer_class")?.as_str()?;
        let class = class.strip_suffix("Fast").unwrap_or(class);
        Some(class).filter(|class| !["PreTrainedTokenizer", "TokenizersBackend"].contains(class))
    }

    /// That the file at `path` does not make a tokenizer of `class`, and the mend.
    pub fn unsupported(&self, path: &Path, class: &str) -> Error {
        Error::malformed(
            path,
            format!(
                "a {class} is not read from this file; write tokenizer.json beside it with \
                 transformers: AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR)"
            ),
        )
    }

    /// The special tokens by name: `bos_token`, `eos_token`, and what else the model names.
    pub fn named_tokens(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.map
            .iter()
            .filter(|(key, value)| key.ends_with("_token") && content(value).is_some())
            .map(|(key, value)| (key.as_str(), value))
    }

    /// The special tokens that have no name of their own.
    pub fn further_tokens(&self) -> impl Iterator<Item = &Value> {
        self.further()
            .flat_map(|value| match value {
                Value::Array(tokens) => tokens.iter().collect(),
                Value::Object(tokens) => tokens.values().collect(),
                _ => Vec::new(),
            })
            .filter(|value| content(value).is_some())
    }

    /// Those of them that have a name of the model's, in an object.
    pub fn further_names(&self) -> impl Iterator<Item = &Value> {
        let objects = self.further().filter_map(Value::as_object);
        let tokens = objects.flat_map(Map::values);
        tokens.filter(|value| content(value).is_some())
    }

    /// The lists of special tokens.
    fn further(&self) -> impl Iterator<Item = &Value> {
        ["additional_special_tokens", "extra_special_tokens"]
            .into_iter()
            .filter_map(|key| self.get(key))
    }
}

/// The text of a token, which the files hold as a string or as an object with `content`.
pub(crate) fn content(value: &Value) -> Option<&str> {
    match value {
        Value::String(token) => Some(token),
        Value::Object(fields) => fields.get("content")?.as_str(),
        _ => None,
    }
}

/// The JSON object in the file at `path`.
pub(crate) fn read_object(path: &Path) -> Result<Map<String, Value>> {
    let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
    match serde_json::from_slice(&bytes) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Err(Error::malformed(path, "not a JSON object")),
        Err(e) => Err(Error::malformed(path, format!("not JSON ({e})"))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn folder(config: &str, special: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(TOKENIZER_CONFIG), config).unwrap();
        std::fs::write(dir.path().join(SPECIAL_TOKENS_MAP), special).unwrap();
        dir
    }

    #[test]
    fn tokens_are_strings_or_objects() {
        let dir = folder(
            r#"{"bos_token": {"content": "<s>", "lstrip": false}, "pad_token": null,
                "add_bos_token": true, "extra_special_tokens": {"image_token": "<image>"}}"#,
            r#"{"eos_token": "</s>", "additional_special_tokens": ["<a>", {"content": "<b>"}]}"#,
        );
        let settings = TokenizerSettings::read(dir.path()).unwrap();
        assert_eq!(settings.token("bos_token"), Some("<s>"));
        assert_eq!(settings.token("eos_token"), Some("</s>"));
        assert_eq!(settings.token("pad_token"), None);
        let named: Vec<_> = settings.named_tokens().map(|(name, _)| name).collect();
        assert_eq!(named, ["bos_token", "eos_token"]);
        let further: Vec<_> = settings.further_tokens().filter_map(content).collect();
        assert_eq!(further, ["<a>", "<b>", "<image>"]);
        assert_eq!(settings.flag("add_bos_token"), Some(true));
        assert_eq!(settings.files.len(), 2);
    }

    #[test]
    fn a_complete_configuration_hides_the_map() {
        let dir = folder(
            r#"{"added_tokens_decoder": {}, "bos_token": "<s>"}"#,
            r#"{"bos_token": "<other>", "eos_token": "</s>"}"#,
        );
        let settings = TokenizerSettings::read(dir.path()).unwrap();
        assert_eq!(settings.token("bos_token"), Some("<s>"));
        assert_eq!(settings.token("eos_token"), None);
    }

    #[test]
    fn no_files_are_no_settings() {
        let dir = tempfile::tempdir().unwrap();
        let settings = TokenizerSettings::read(dir.path()).unwrap();
        assert!(settings.files.is_empty());
        assert_eq!(settings.named_tokens().count(), 0);
    }
}
