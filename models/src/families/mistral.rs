//! Mistral: "Mistral 7B" (arXiv:2310.06825).
//!
//! Llama with a sliding window in every layer.

use serde_json::{Map, Value, json};

use super::gpt2::{LM_HEAD, SCORE};
use super::heads::decoder;
use super::llama::{self, TENSORS};
use super::{Class, Family, Preset, Ties};
use crate::config::RawConfig;
use crate::error::Result;
use crate::network::NetworkConfig;
use crate::rope::usual;
use crate::task::Task;

/// The family.
pub const FAMILY: Family = Family {
    name: "mistral",
    model_type: "mistral",
    paper: "arXiv:2310.06825",
    classes: &[
        Class::with_head("MistralForCausalLM", Task::TextGeneration, LM_HEAD),
        Class::bare("MistralModel", Task::FeatureExtraction),
        Class::with_head(
            "MistralForSequenceClassification",
            Task::TextClassification,
            SCORE,
        ),
        Class::with_head(
            "MistralForTokenClassification",
            Task::TokenClassification,
            SCORE,
        ),
    ],
    prefix: "model.",
    read,
    tensors: TENSORS,
    ties: Ties::PLAIN,
    preset,
};

fn read(raw: &RawConfig, task: Task) -> Result<NetworkConfig> {
    let mut config = llama::network(raw, usual)?;
    llama::slide(&mut config, raw)?;
    decoder(&mut config, raw, task, raw.flag("tie_word_embeddings")?)?;
    Ok(config)
}

fn preset(preset: Preset) -> Map<String, Value> {
    llama::kin(
        preset,
        json!({
            "architectures": ["MistralForCausalLM"],
            "model_type": "mistral",
            "sliding_window": 64,
        }),
    )
}
