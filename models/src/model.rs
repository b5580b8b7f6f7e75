//! A model: a network, where it came from, and how it reads text.

use std::collections::HashMap;
use std::path::Path;

use burn::module::Module;
use burn::tensor::{DType, Device, Tensor, TensorData};
use serde_json::Value;

use crate::blocks::taps::Taps;
use crate::catalog::{self, Description};
use crate::checkpoint::{self, report::LoadReport};
use crate::config::Raw;
use crate::error::{Error, Result};
use crate::families::{Family, Preset};
use crate::files;
use crate::inputs;
use crate::network::{Network, NetworkConfig, Output};
use crate::task::Task;
use crate::tensors::{self, Tensors};
use crate::text::Text;

/// The configuration of a checkpoint.
pub const CONFIG: &str = "config.json";
/// The tokenizer of a checkpoint.
pub const TOKENIZER: &str = "tokenizer.json";
/// The key of `config.json` that says how a model of ours reads text.
const TEXT_KEY: &str = "fluxo_text";

/// What a new model is made of.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Sizes to start from.
    pub preset: Preset,
    /// Keys of `config.json` and the values to set them to.
    pub set: Vec<(String, String)>,
}

/// What a run gives beside its outputs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Request {
    /// `hidden_states.{i}`, as transformers has them.
    pub hidden_states: bool,
    /// Every tap of every layer.
    pub taps: bool,
}

/// A model of the zoo.
#[derive(Debug, Clone)]
pub struct Model {
    /// The weights.
    pub network: Network,
    family: &'static Family,
    task: Task,
    config: NetworkConfig,
    raw: Raw,
    text: Option<Text>,
}

impl Model {
    /// Loads the checkpoint in `dir`: `config.json`, `model.safetensors` and, where it is
    /// there, `tokenizer.json`. `task` chooses a head other than the checkpoint's own.
    ///
    /// # Errors
    /// When a file is missing or broken, the family is unknown, or the weights do not fit the
    /// configuration.
    pub fn load(dir: &Path, task: Option<Task>, device: &Device) -> Result<(Self, LoadReport)> {
        let raw = Raw::read(&dir.join(CONFIG))?;
        let Description {
            raw,
            family,
            task,
            config,
        } = Description::of(raw, task)?;
        let weights = dir.join(checkpoint::WEIGHTS);
        let (network, report) = checkpoint::load(&weights, family, &config, device)?;
        let tokenizer = dir.join(TOKENIZER);
        let text = match raw.text(TEXT_KEY)? {
            Some("bytes") => Some(Text::bytes()),
            Some(other) => {
                return Err(Error::Config(format!(
                    "`{TEXT_KEY}` is `{other}`, which is not supported; only `bytes` is"
                )));
            }
            None if tokenizer.exists() => Some(Text::from_file(&tokenizer)?),
            None => None,
        };
        let model = Self {
            network,
            family,
            task,
            config,
            raw,
            text,
        };
        Ok((model, report))
    }

    /// A model of `family` with fresh weights, the same on every device for one `seed`.
    ///
    /// # Errors
    /// When the family, or a key that is set, is unknown, or the sizes do not fit together.
    pub fn new(family: &str, settings: &Settings, seed: u64, device: &Device) -> Result<Self> {
        let family = catalog::family(family)?;
        let mut map = (family.preset)(settings.preset);
        for (key, value) in &settings.set {
            if !map.contains_key(key) {
                let known: Vec<_> = map.keys().map(String::as_str).collect();
                return Err(Error::Config(format!(
                    "{} has no `{key}`; it has: {}",
                    family.name,
                    known.join(", ")
                )));
            }
            let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value.as_str()));
            map.insert(key.clone(), value);
        }
        let Description {
            raw,
            family,
            task,
            config,
        } = Description::of(Raw(map), None)?;
        Ok(Self {
            network: checkpoint::fresh(&config, seed, device),
            family,
            task,
            config,
            raw,
            text: None,
        })
    }

    /// Writes the model as a checkpoint in the published layout: `config.json`,
    /// `model.safetensors` and, where it has one, `tokenizer.json`.
    ///
    /// # Errors
    /// When the folder cannot be written. Each file is whole or as it was.
    pub fn save(&self, dir: &Path) -> Result<()> {
        files::make_folder(dir)?;
        let weights = checkpoint::published(&self.network, self.family, self.config.head)?;
        let metadata = HashMap::from([("format".to_string(), "pt".to_string())]);
        tensors::write_with(&dir.join(checkpoint::WEIGHTS), &weights, Some(metadata))?;
        self.save_config(dir)
    }

    /// Writes `config.json` and, where the model has one, `tokenizer.json`.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn save_config(&self, dir: &Path) -> Result<()> {
        if let Some(path) = self.text.as_ref().and_then(Text::path)
            && path != dir.join(TOKENIZER)
        {
            let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
            write_bytes(&dir.join(TOKENIZER), &bytes)?;
        }
        let mut raw = self.raw.0.clone();
        if self.text.as_ref().is_some_and(Text::is_bytes) {
            raw.insert(TEXT_KEY.into(), Value::from("bytes"));
        }
        let path = dir.join(CONFIG);
        let json = serde_json::to_vec_pretty(&raw).map_err(|e| Error::malformed(&path, e))?;
        write_bytes(&path, &json)
    }

    /// The model with its weights on `device`.
    #[must_use]
    pub fn to_device(mut self, device: &Device) -> Self {
        self.network = self.network.to_device(device);
        self
    }

    /// Where the weights are.
    pub fn device(&self) -> Device {
        self.network.embedding.token.weight.lazy_device()
    }

    /// The family's name.
    pub fn family(&self) -> &'static str {
        self.family.name
    }

    /// What the model's head does.
    pub fn task(&self) -> Task {
        self.task
    }

    /// The network's configuration.
    pub fn config(&self) -> &NetworkConfig {
        &self.config
    }

    /// `config.json` as it was read.
    pub fn raw(&self) -> &Raw {
        &self.raw
    }

    /// How the model reads text, where it can.
    pub fn text(&self) -> Option<&Text> {
        self.text.as_ref()
    }

    /// Sets how the model reads text.
    pub fn set_text(&mut self, text: Text) {
        self.text = Some(text);
    }

    /// Runs the model on named inputs: `input_ids` `[batch, sequence]` and, where wanted,
    /// `attention_mask` `[batch, past + sequence]`, `token_type_ids`, `past_key_values.{i}.key`
    /// and `.value` `[batch, kv_heads, past, head_dim]`.
    ///
    /// Gives `last_hidden_state`, or `logits` where the model has a head, `pooler_output`,
    /// `present.{i}.key` and `.value` of a decoder, and what `request` asks for.
    ///
    /// # Errors
    /// When an input is missing, misshapen or out of range, or the device fails.
    pub fn run(&self, inputs: &Tensors, request: &Request) -> Result<Tensors> {
        let batch = inputs::batch(inputs, &self.config, &self.device())?;
        let mut taps = if request.taps {
            Taps::on()
        } else {
            Taps::off()
        };
        let Output {
            last_hidden_state,
            logits,
            pooler_output,
            cache,
            hidden_states,
        } = self.network.forward(batch, &mut taps);

        let mut outputs = Tensors::new();
        match logits {
            Some(logits) => outputs.insert("logits".into(), read(logits)?),
            None => outputs.insert("last_hidden_state".into(), read(last_hidden_state)?),
        };
        if let Some(pooled) = pooler_output {
            outputs.insert("pooler_output".into(), read(pooled)?);
        }
        for (layer, cache) in cache.into_iter().flat_map(|c| c.layers).enumerate() {
            outputs.insert(format!("present.{layer}.key"), read(cache.key)?);
            outputs.insert(format!("present.{layer}.value"), read(cache.value)?);
        }
        if request.hidden_states {
            for (index, state) in hidden_states.into_iter().enumerate() {
                outputs.insert(format!("hidden_states.{index}"), read(state)?);
            }
        }
        for (name, value) in taps.into_found() {
            outputs.insert(name, read(value)?);
        }
        Ok(outputs)
    }
}

/// The values of `tensor`, in float32 where they are floats.
fn read<const D: usize>(tensor: Tensor<D>) -> Result<TensorData> {
    let data = tensor
        .try_into_data()
        .map_err(|e| Error::Input(format!("the device failed: {e}")))?;
    Ok(match data.dtype() {
        DType::F32 => data,
        _ => data.convert::<f32>(),
    })
}

fn write_bytes(path: &Path, bytes: &[u8]) -> Result<()> {
    files::write_atomic(path, |file| std::io::Write::write_all(file, bytes))
}
