//! One short file a family: its `config.json` mapped to the one block, its tensor names
//! mapped to ours.

pub mod albert;
pub mod bart;
pub mod bert;
pub mod bloom;
pub mod clip;
pub mod deit;
pub mod dinov2;
pub mod distilbert;
pub mod electra;
pub mod gemma;
pub mod gemma2;
pub mod gemma3;
pub mod gpt2;
pub mod gpt_neox;
mod heads;
pub mod llama;
pub mod marian;
pub mod mistral;
pub mod mixtral;
pub mod modernbert;
pub mod olmo2;
pub mod opt;
pub mod phi;
pub mod phi3;
pub mod qwen2;
pub mod qwen3;
pub mod roberta;
pub mod t5;
pub mod vit;
pub mod whisper;

use serde_json::{Map, Value};

use crate::blocks::activation::Activation;
use crate::checkpoint::rule::Rule;
use crate::config::RawConfig;
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

/// A class of transformers: a family with one of its heads.
#[derive(Debug)]
pub struct Class {
    /// Its name, as `architectures` has it.
    pub name: &'static str,
    /// What its head does.
    pub task: Task,
    /// The head's tensors, whose names have no prefix.
    pub head: &'static [Rule],
    /// Other classes that have this head among others, or are this one by an older name.
    pub also: &'static [&'static str],
    /// What its tensors' names start with, and do not in newer files.
    pub omits: &'static str,
    /// Whether the stacks' tensors carry the family's prefix.
    prefixed: bool,
}

impl Class {
    /// The model without a head, whose tensors have no prefix.
    pub const fn bare(name: &'static str, task: Task) -> Self {
        Self {
            prefixed: false,
            ..Self::with_head(name, task, &[])
        }
    }

    /// The model with a head.
    pub const fn with_head(name: &'static str, task: Task, head: &'static [Rule]) -> Self {
        Self {
            name,
            task,
            head,
            also: &[],
            omits: "",
            prefixed: true,
        }
    }

    /// With the tensors of a head.
    pub const fn with(self, head: &'static [Rule]) -> Self {
        Self { head, ..self }
    }

    /// With other classes that have its head among others.
    pub const fn also(self, also: &'static [&'static str]) -> Self {
        Self { also, ..self }
    }

    /// With a start of its tensors' names that newer files leave out.
    pub const fn omitting(self, omits: &'static str) -> Self {
        Self { omits, ..self }
    }

    pub(crate) fn is_bare(&self) -> bool {
        !self.prefixed
    }
}

/// How transformers ties what reads the table of tokens: the stacks' embeddings and the output
/// layer (`_tied_weights_keys`).
#[derive(Debug, Clone, Copy)]
pub struct Ties {
    /// The name that a stack's own table has (`{s}` for the stack), beside the shared one.
    pub table: Option<&'static str>,
    /// Whether `tie_word_embeddings: false` does not untie them.
    pub always: bool,
}

impl Ties {
    /// One table, and the output layer.
    pub const PLAIN: Self = Self {
        table: None,
        always: false,
    };
    /// A shared table, one for each stack, and the output layer.
    pub const SHARED: Self = Self {
        table: Some("{s}.embed_tokens.weight"),
        always: false,
    };
    /// The same, whatever `tie_word_embeddings` says: in T5 it only means whether the output is
    /// scaled (`configuration_t5.py`).
    pub const ALWAYS: Self = Self {
        always: true,
        ..Self::SHARED
    };
}

/// An architecture: data and two functions, no code of its own.
#[derive(Debug)]
pub struct Family {
    /// Its name.
    pub name: &'static str,
    /// Its `model_type`.
    pub model_type: &'static str,
    /// Where it was published.
    pub paper: &'static str,
    /// Its classes, the one that new models are first.
    pub classes: &'static [Class],
    /// What stands before its tensors' names in a model with a head.
    pub prefix: &'static str,
    /// Maps a complete configuration to the network for a task; [`Family::network`] completes it.
    pub read: fn(&RawConfig, Task) -> Result<NetworkConfig>,
    /// The names of the stacks' tensors, and of the pooler's.
    pub tensors: &'static [Rule],
    /// How transformers ties what reads the table of tokens.
    pub ties: Ties,
    /// The `config.json` of a new model.
    pub preset: fn(Preset) -> Map<String, Value>,
}

impl Family {
    /// The tasks that the family has a head for.
    pub fn tasks(&self) -> impl Iterator<Item = Task> {
        let new = |(number, class): (usize, &'static Class)| {
            let known = self.classes[..number].iter().any(|c| c.task == class.task);
            (!known).then_some(class.task)
        };
        self.classes.iter().enumerate().filter_map(new)
    }

    /// The network that a `config.json` asks for, for a task.
    ///
    /// # Errors
    /// When it asks for what does not exist here, or its values are none.
    pub fn network(&self, raw: &RawConfig, task: Task) -> Result<NetworkConfig> {
        let model_type = raw.text("model_type")?.unwrap_or(self.model_type);
        (self.read)(&raw.complete(model_type)?, task)
    }

    /// The class that does `task`.
    pub fn class(&self, task: Task) -> Option<&Class> {
        self.classes.iter().find(|class| class.task == task)
    }
}

/// The activation named by `key`.
fn activation(raw: &RawConfig, key: &str) -> Result<Activation> {
    let name = raw.word(key)?;
    Activation::from_name(name)
        .ok_or_else(|| Error::Config(format!("`{key}` is `{name}`, which is not supported")))
}

/// Refuses a value of `key` other than `wanted`: what it asks for does not exist here.
fn only(raw: &RawConfig, key: &str, wanted: bool) -> Result<()> {
    if raw.flag(key)? != wanted {
        return Err(Error::Config(format!(
            "`{key}` is {}, which is not supported",
            !wanted
        )));
    }
    Ok(())
}

/// Which of `layers` layers attend to the neighbourhood only: `layer_types` says it, or `usual`
/// where the configuration has none.
fn sliding(raw: &RawConfig, layers: usize, usual: impl Fn(usize) -> bool) -> Result<Vec<bool>> {
    let Some(types) = raw.texts("layer_types")? else {
        return Ok((0..layers).map(usual).collect());
    };
    if types.len() != layers {
        return Err(Error::Config(format!(
            "`layer_types` has {} layers, of {layers}",
            types.len()
        )));
    }
    let sliding = |kind: &str| match kind {
        "sliding_attention" => Ok(true),
        "full_attention" | "attention" => Ok(false),
        other => Err(Error::Config(format!(
            "`layer_types` has `{other}`, which is not supported; known: full_attention, \
             sliding_attention"
        ))),
    };
    types.into_iter().map(sliding).collect()
}

/// `head_dim`, which heads may have apart from the model's width, or `d_model / heads`.
fn own_head_dim(raw: &RawConfig, d_model: usize, heads: usize) -> Result<usize> {
    match raw.size_opt("head_dim")? {
        Some(size) => Ok(size),
        None => head_dim(d_model, heads),
    }
}

/// `d_model / heads`; refuses another `head_dim`, which would count for positions alone.
fn even_head_dim(raw: &RawConfig, d_model: usize, heads: usize) -> Result<usize> {
    let even = head_dim(d_model, heads)?;
    match raw.size_opt("head_dim")? {
        Some(size) if size != even => Err(Error::Config(format!(
            "a `head_dim` of {size} is not supported, only that of the heads, {even}"
        ))),
        _ => Ok(even),
    }
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

/// `map` with what `own` says in its place.
fn merged(mut map: Map<String, Value>, own: Value) -> Map<String, Value> {
    map.extend(object(own));
    map
}

/// A JSON object from `json!({…})`.
fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
