//! Qwen2: "Qwen2 Technical Report" (arXiv:2407.10671).
//!
//! Llama with biases of queries, keys and values, and in some layers a sliding window.

use serde_json::{Map, Value, json};

use super::gpt2::{LM_HEAD, SCORE};
use super::heads::decoder;
use super::llama::{self, TENSORS};
use super::{Class, Family, Preset, Ties};
use crate::blocks::attention::ProjectionBias;
use crate::config::RawConfig;
use crate::error::Result;
use crate::network::NetworkConfig;
use crate::rope::usual;
use crate::task::Task;

/// The family.
pub const FAMILY: Family = Family {
    name: "qwen2",
    model_type: "qwen2",
    paper: "arXiv:2407.10671",
    classes: &[
        Class::with_head("Qwen2ForCausalLM", Task::TextGeneration, LM_HEAD),
        Class::bare("Qwen2Model", Task::FeatureExtraction),
        Class::with_head(
            "Qwen2ForSequenceClassification",
            Task::TextClassification,
            SCORE,
        ),
        Class::with_head(
            "Qwen2ForTokenClassification",
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
    for block in llama::blocks(&mut config) {
        block.attention.bias = ProjectionBias::split(true, false);
    }
    slide_last(&mut config, raw)?;
    decoder(&mut config, raw, task, raw.flag("tie_word_embeddings")?)?;
    Ok(config)
}

/// Only the layers from `max_window_layers` on have the window, and only if it is used.
pub(super) fn slide_last(config: &mut NetworkConfig, raw: &RawConfig) -> Result<()> {
    let window = if raw.flag("use_sliding_window")? {
        raw.size_opt("sliding_window")?
    } else {
        None
    };
    let first = raw.count("max_window_layers")?;
    let slides = |layer| window.is_some() && layer >= first;
    llama::slide_some(config, raw, window, slides)
}

fn preset(preset: Preset) -> Map<String, Value> {
    llama::kin(
        preset,
        json!({
            "architectures": ["Qwen2ForCausalLM"],
            "model_type": "qwen2",
            "use_sliding_window": false,
        }),
    )
}
