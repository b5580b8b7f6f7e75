//! Gemma 3: "Gemma 3 Technical Report" (arXiv:2503.19786), the text model.
//!
//! Gemma 2 with queries and keys normalised instead of capped, and positions of their own in
//! the layers with a window.

use serde_json::{Map, Value, json};

use super::gemma2::{self, TENSORS};
use super::gpt2::{LM_HEAD, SCORE};
use super::{Class, Family, Preset, Ties, llama};
use crate::blocks::attention::QueryKeyNorm;
use crate::config::Raw;
use crate::error::Result;
use crate::network::NetworkConfig;
use crate::rope::{Defaults, rotary};
use crate::task::Task;

/// The family.
pub const FAMILY: Family = Family {
    name: "gemma3",
    model_type: "gemma3_text",
    paper: "arXiv:2503.19786",
    classes: &[
        Class::with_head("Gemma3ForCausalLM", Task::TextGeneration, LM_HEAD),
        Class::bare("Gemma3TextModel", Task::FeatureExtraction),
        Class::with_head(
            "Gemma3TextForSequenceClassification",
            Task::TextClassification,
            SCORE,
        ),
    ],
    prefix: "model.",
    read,
    tensors: TENSORS,
    ties: Ties::PLAIN,
    preset,
};

fn read(raw: &Raw, task: Task) -> Result<NetworkConfig> {
    let defaults = Defaults {
        theta: 1_000_000.0,
        ..Defaults::default()
    };
    let mut config = gemma2::network(raw, defaults)?;
    let every = match raw.size_opt("sliding_window_pattern")? {
        Some(every) => every,
        None => raw.size_opt("_sliding_window_pattern")?.unwrap_or(6),
    };
    llama::slide(&mut config, raw, |layer| !(layer + 1).is_multiple_of(every))?;
    let local = Defaults {
        theta_key: "rope_local_base_freq",
        scaled: false,
        ..Defaults::default()
    };
    let local = rotary(raw, config.head_dim(), "sliding_attention", local)?;
    for block in llama::blocks(&mut config) {
        block.attention.query_key_norm = Some(QueryKeyNorm {
            norm: block.norm,
            per_head: true,
        });
        if block.attention.window.is_some() {
            block.attention.rotary = Some(local.clone());
        }
    }
    gemma2::head(&mut config, raw, task)?;
    Ok(config)
}

fn preset(preset: Preset) -> Map<String, Value> {
    llama::kin(
        preset,
        json!({
            "architectures": ["Gemma3ForCausalLM"],
            "model_type": "gemma3_text",
            "head_dim": 32,
            "hidden_activation": "gelu_pytorch_tanh",
            "query_pre_attn_scalar": 32,
            "rope_local_base_freq": 10000.0,
            "rope_theta": 1000000.0,
            "sliding_window": 64,
            "sliding_window_pattern": 2,
            "tie_word_embeddings": true,
        }),
    )
}
