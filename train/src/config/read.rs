//! Configurations from files, from run folders, and from `key=value` pairs.

use std::path::Path;

use super::TrainConfig;
use crate::error::{Error, Result};

impl TrainConfig {
    /// Reads the TOML file at `path`.
    ///
    /// # Errors
    /// When it cannot be read, or has a key or value that does not belong there; the message
    /// names the line and the known keys.
    pub fn load(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(Error::io(path))?;
        toml::from_str(&text).map_err(|e| {
            let line = e.span().map(|s| text[..s.start].matches('\n').count() + 1);
            let line = line.map(|l| format!("line {l}: ")).unwrap_or_default();
            Error::ConfigFile {
                path: path.into(),
                reason: format!("{line}{}", one_line(e.message())),
            }
        })
    }

    /// The configuration that the run in the folder `out` was started with.
    ///
    /// # Errors
    /// When there is no run in the folder.
    pub fn of_run(out: &Path) -> Result<Self> {
        let path = out.join(crate::run::CONFIG);
        if !path.is_file() {
            return Err(Error::NothingToResume(out.into()));
        }
        Ok(Self {
            out: out.into(),
            ..Self::load(&path)?
        })
    }

    /// Sets one key from its text: a TOML value, a plain word, or a list with commas.
    /// `model.KEY` is a key of the model's `config.json`.
    ///
    /// # Errors
    /// When there is no such key (the message names those there are), or the value does not fit.
    pub fn set(&mut self, key: &str, value: &str) -> Result<()> {
        let error = |reason: String| Error::Setting {
            key: key.into(),
            reason,
        };
        let parse = |text: &str| -> Option<toml::Value> {
            toml::from_str::<toml::Table>(&format!("v = {text}"))
                .ok()?
                .remove("v")
        };
        if let Some(key) = key.strip_prefix("model.") {
            let value = parse(value).unwrap_or_else(|| value.into());
            self.model.insert(key.into(), value);
            return Ok(());
        }
        let words = value
            .split(',')
            .map(|w| toml::Value::from(w.trim()))
            .collect();
        let candidates = [
            parse(value),
            Some(toml::Value::from(value)),
            parse(&format!("[{value}]")),
            Some(toml::Value::Array(words)),
        ];
        let mut first = None;
        for candidate in candidates.into_iter().flatten() {
            let mut table = toml::Table::try_from(&*self).map_err(|e| error(e.to_string()))?;
            table.insert(key.into(), candidate);
            match table.try_into::<Self>() {
                Ok(config) => {
                    *self = config;
                    return Ok(());
                }
                Err(e) => first = first.or(Some(e)),
            }
        }
        let reason = first.map(|e| one_line(e.message())).unwrap_or_default();
        Err(error(reason))
    }
}

/// Burn's and TOML's messages run over several lines.
fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}
