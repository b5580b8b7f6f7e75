//! The keys of `generation_config.json`, and of what stands in for it.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::entry::Entry;
use crate::config::{CONFIG, RawConfig};
use crate::error::Result;
use crate::model::Model;

/// What a checkpoint says of generation.
pub const GENERATION_CONFIG: &str = "generation_config.json";

/// What was asked for, and both files.
pub(super) struct Reader<'a> {
    asked: &'a Map<String, Value>,
    generation: Option<(PathBuf, Map<String, Value>)>,
    config: (PathBuf, &'a Map<String, Value>),
}

impl<'a> Reader<'a> {
    /// The files in `dir`, which `model` is from, and keys that are `asked` for instead of
    /// theirs.
    pub fn new(dir: &Path, model: &'a Model, asked: &'a Map<String, Value>) -> Result<Self> {
        let path = dir.join(GENERATION_CONFIG);
        let generation = if path.exists() {
            let raw = RawConfig::read(&path)?;
            Some((path, raw.0))
        } else {
            None
        };
        Ok(Self {
            asked,
            generation,
            config: (dir.join(CONFIG), &model.raw().0),
        })
    }

    /// Whether there is a `generation_config.json`.
    pub fn has_file(&self) -> bool {
        self.generation.is_some()
    }

    /// The value of `key` that was asked for.
    pub fn asked<'b>(&'b self, key: &'b str) -> Entry<'b> {
        Entry::of(Path::new("--set"), self.asked, key)
    }

    /// The value of `key` in `generation_config.json`, or in `config.json` where there is no
    /// such file; there it may stand among those of the part that writes.
    pub fn file<'b>(&'b self, key: &'b str) -> Entry<'b> {
        if let Some((path, map)) = &self.generation {
            return Entry::of(path, map, key);
        }
        let (path, map) = &self.config;
        let own = Entry::of(path, map, key);
        let parts = ["decoder", "generator", "text_config"];
        let part = parts.iter().find_map(|part| map.get(*part)?.as_object());
        match (own.value, part) {
            (None, Some(part)) => Entry::of(path, part, key),
            _ => own,
        }
    }

    /// The value of `key` that was asked for, or else the file's. What is asked to be `null` is
    /// none.
    pub fn own<'b>(&'b self, key: &'b str) -> Entry<'b> {
        if self.asked.contains_key(key) {
            self.asked(key)
        } else {
            self.file(key)
        }
    }

    /// The value of [`Reader::own`], or where that has none of `config.json`.
    pub fn either<'b>(&'b self, key: &'b str) -> Entry<'b> {
        let own = self.own(key);
        match own.value {
            Some(_) => own,
            None => Entry::of(&self.config.0, self.config.1, key),
        }
    }
}
