//! What a model is, as far as its inputs and answers depend on it.

use std::path::Path;

use anyhow::{Context, Result};
use fluxo_models::catalog::Description;
use fluxo_models::config::RawConfig;
use fluxo_models::model::{self, CONFIG};
use fluxo_models::{Model, NetworkConfig, Task, Text, inputs};

/// A model without its weights.
pub struct About {
    /// What its head does, where its configuration says.
    pub task: Option<Task>,
    /// Its `config.json`; empty for a lone ONNX file.
    pub raw: RawConfig,
    /// How it reads text.
    pub text: Option<Text>,
    /// How many tokens it knows.
    pub vocab: usize,
    /// Token types; 0 for none.
    pub token_types: usize,
    /// The most tokens that it reads, where it says.
    pub positions: Option<usize>,
    /// Whether a decoder writes about what an encoder reads.
    pub writes: bool,
    /// What that text starts with.
    start: Result<Option<u32>>,
}

impl About {
    /// What is loaded from `folder`.
    pub fn model(folder: &Path, model: &Model) -> Self {
        Self {
            task: Some(model.task()),
            raw: model.raw().clone(),
            text: model.text().cloned(),
            ..Self::network(folder, model.config())
        }
    }

    /// What the configuration in `folder` says: that of an export, too.
    ///
    /// # Errors
    /// When the tokenizer is broken.
    pub fn folder(folder: &Path) -> Result<Self> {
        let path = folder.join(CONFIG);
        if !path.is_file() {
            return Ok(Self::nothing());
        }
        let raw = RawConfig::read(&path)?;
        let described = Description::of(raw.clone(), None).ok();
        let text = model::text(folder, &raw)?;
        let about = match &described {
            Some(described) => Self::network(folder, &described.config),
            None => Self::nothing(),
        };
        Ok(Self {
            task: described.map(|described| described.class.task),
            raw,
            text,
            ..about
        })
    }

    fn network(folder: &Path, config: &NetworkConfig) -> Self {
        let reads = config.encoder.as_ref().or(config.decoder.as_ref());
        let tokens = reads.and_then(|stack| stack.tokens());
        Self {
            vocab: tokens.map_or(0, |tokens| tokens.vocab_size),
            token_types: config.token_types(),
            positions: reads.map(|stack| stack.max_positions),
            writes: config.encodes_and_decodes(),
            start: inputs::start_token(folder, config).map_err(anyhow::Error::from),
            ..Self::nothing()
        }
    }

    fn nothing() -> Self {
        Self {
            task: None,
            raw: RawConfig(Default::default()),
            text: None,
            vocab: usize::MAX,
            token_types: 0,
            positions: None,
            writes: false,
            start: Ok(None),
        }
    }

    /// The tokenizer; without one the model takes text only as what `instead` says.
    ///
    /// # Errors
    /// When there is none.
    pub fn tokenizer(&self, instead: &str) -> Result<&Text> {
        self.text.as_ref().with_context(|| {
            format!("the model has no tokenizer, so it reads no text; give {instead} instead")
        })
    }

    /// What the text that it writes starts with, where it writes one of its own.
    ///
    /// # Errors
    /// When its files do not say.
    pub fn start(&self) -> Result<Option<u32>> {
        match &self.start {
            Ok(start) => Ok(*start),
            Err(error) => Err(anyhow::anyhow!("{error}")),
        }
    }
}
