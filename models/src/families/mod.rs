//! One short file a family: its `config.json` mapped to the one block, its tensor names
//! mapped to ours.

pub mod bert;
pub mod gpt2;
pub mod llama;

use serde_json::{Map, Value};

use crate::blocks::activation::Activation;
use crate::checkpoint::rule::Rule;
use crate::config::Raw;
use crate::error::{Error, Result};
use crate::network::NetworkConfig;
use crate::task::Task;

/// Sizes for a new model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Preset {
    /// Trains in a minute on a laptop.
    #[default]
    Tiny,
    /// Trains in an hour.
    Small,
    /// The published base model's sizes.
    Base,
}

impl std::str::FromStr for Preset {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "tiny" => Ok(Self::Tiny),
            "small" => Ok(Self::Small),
            "base" => Ok(Self::Base),
            _ => Err(Error::Config(format!(
                "unknown preset `{name}`; known presets: tiny, small, base"
            ))),
        }
    }
}

/// An architecture: data and two functions, no code of its own.
#[derive(Debug)]
pub struct Family {
    /// Its `model_type`.
    pub name: &'static str,
    /// Where it was published.
    pub paper: &'static str,
    /// Its classes in transformers and the task that each head does.
    pub architectures: &'static [(&'static str, Task)],
    /// What may stand before its tensors' names.
    pub prefix: &'static str,
    /// Maps `config.json` to the network for a task.
    pub read: fn(&Raw, Task) -> Result<NetworkConfig>,
    /// Its tensors' names.
    pub tensors: &'static [Rule],
    /// The `config.json` of a new model.
    pub preset: fn(Preset) -> Map<String, Value>,
}

impl Family {
    /// The tasks that the family has a head for.
    pub fn tasks(&self) -> impl Iterator<Item = Task> {
        self.architectures.iter().map(|(_, task)| *task)
    }
}

/// The activation named by `key`, or by `default`.
fn activation(raw: &Raw, key: &str, default: &str) -> Result<Activation> {
    let name = raw.text(key)?.unwrap_or(default);
    Activation::from_name(name)
        .ok_or_else(|| Error::Config(format!("`{key}` is `{name}`, which is not supported")))
}

/// Refuses a value of `key` other than `wanted`: what it asks for does not exist here.
fn only(raw: &Raw, key: &str, wanted: bool) -> Result<()> {
    if raw.bool_or(key, wanted)? != wanted {
        return Err(Error::Config(format!(
            "`{key}` is {}, which is not supported",
            !wanted
        )));
    }
    Ok(())
}

/// `d_model / heads`, where it is whole.
fn head_dim(d_model: usize, heads: usize) -> Result<usize> {
    if !d_model.is_multiple_of(heads) {
        return Err(Error::Config(format!(
            "a width of {d_model} cannot be split into {heads} heads"
        )));
    }
    Ok(d_model / heads)
}

/// A JSON object from `json!({…})`.
fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
