//! Gemma 3: "Gemma 3 Technical Report" (arXiv:2503.19786), the text model.
//!
//! Gemma 2 with queries and keys normalised instead of capped, and positions of their own in
//! the layers with a window.

use serde_json::{Map, Value, json};

use super::gemma2::{self, TENSORS};
use super::gpt2::{LM_HEAD, SCORE};
use super::{Class, Family, Preset, Ties, llama};
use crate::blocks::attention::QueryKeyNorm;
use crate::config::RawConfig;
use crate::error::Result;
use crate::network::NetworkConfig;
use crate::rope::{Layered, layered};
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

/// `rope_scaling` is meant for the layers without a window.
const ROTARY: Layered = Layered {
    whole: ("rope_theta", 1_000_000.0),
    local: ("rope_local_base_freq", 10_000.0),
    scales_both: false,
    strict: false,
};

fn read(raw: &RawConfig, task: Task) -> Result<NetworkConfig> {
    let mut config = gemma2::network(raw, |raw, head_dim| {
        let [whole, _] = layered(raw, head_dim, ROTARY)?;
        Ok(whole)
    })?;
    let window = raw.size_opt("sliding_window")?;
    // Of version 4; from version 5 on `layer_types` says it, and this has no other default.
    let every = raw.size_opt("sliding_window_pattern")?.unwrap_or(6);
    let slides = |layer: usize| !(layer + 1).is_multiple_of(every);
    llama::slide_some(&mut config, raw, window, slides)?;
    let [_, local] = layered(raw, config.head_dim(), ROTARY)?;
    for block in llama::blocks(&mut config) {
        // The key is there, and transformers' model does not look at it.
        block.attention.softcap = None;
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
