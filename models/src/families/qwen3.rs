//! Qwen3: "Qwen3 Technical Report" (arXiv:2505.09388).
//!
//! Llama with queries and keys normalised head by head.

use serde_json::{Map, Value, json};

use super::gpt2::{LM_HEAD, SCORE};
use super::heads::decoder;
use super::llama::{self, TENSORS};
use super::{Class, Family, Preset, Ties, qwen2};
use crate::blocks::attention::{ProjectionBias, QueryKeyNorm};
use crate::config::RawConfig;
use crate::error::Result;
use crate::network::NetworkConfig;
use crate::rope::usual;
use crate::task::Task;

/// The family.
pub const FAMILY: Family = Family {
    name: "qwen3",
    model_type: "qwen3",
    paper: "arXiv:2505.09388",
    classes: &[
        Class::with_head("Qwen3ForCausalLM", Task::TextGeneration, LM_HEAD),
        Class::bare("Qwen3Model", Task::FeatureExtraction),
        Class::with_head(
            "Qwen3ForSequenceClassification",
            Task::TextClassification,
            SCORE,
        ),
        Class::with_head(
            "Qwen3ForTokenClassification",
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
    let bias = raw.flag("attention_bias")?;
    for block in llama::blocks(&mut config) {
        block.attention.bias = ProjectionBias::all(bias);
        block.attention.query_key_norm = Some(QueryKeyNorm {
            norm: block.norm,
            per_head: true,
        });
    }
    qwen2::slide_last(&mut config, raw)?;
    decoder(&mut config, raw, task, raw.flag("tie_word_embeddings")?)?;
    Ok(config)
}

fn preset(preset: Preset) -> Map<String, Value> {
    llama::kin(
        preset,
        json!({
            "architectures": ["Qwen3ForCausalLM"],
            "model_type": "qwen3",
            "attention_bias": false,
            "head_dim": 32,
            "use_sliding_window": false,
        }),
    )
}
