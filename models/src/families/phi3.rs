//! Phi-3: "Phi-3 Technical Report" (arXiv:2404.14219).
//!
//! Llama with joined projections, and factors of its own for long sequences.

use serde_json::{Map, Value, json};

use super::gpt2::{LM_HEAD, SCORE};
use super::heads::decoder;
use super::llama;
use super::{Class, Family, Preset, Ties};
use crate::checkpoint::rule::{Rule, linear, same};
use crate::config::RawConfig;
use crate::error::Result;
use crate::network::NetworkConfig;
use crate::rope::{Defaults, rotary};
use crate::task::Task;

/// The family.
pub const FAMILY: Family = Family {
    name: "phi3",
    model_type: "phi3",
    paper: "arXiv:2404.14219",
    classes: &[
        Class::with_head("Phi3ForCausalLM", Task::TextGeneration, LM_HEAD),
        Class::bare("Phi3Model", Task::FeatureExtraction),
        Class::with_head(
            "Phi3ForSequenceClassification",
            Task::TextClassification,
            SCORE,
        ),
        Class::with_head(
            "Phi3ForTokenClassification",
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
    let mut config = llama::network(raw, |raw, head_dim| {
        let defaults = Defaults {
            rotates_parts: true,
            only_longrope: true,
            ..Defaults::default()
        };
        rotary(raw, head_dim, defaults)
    })?;
    llama::slide(&mut config, raw)?;
    decoder(&mut config, raw, task, raw.flag("tie_word_embeddings")?)?;
    Ok(config)
}

#[rustfmt::skip]
const TENSORS: &[Rule] = &[
    same(&["embedding.token"], "embed_tokens"),
    same(&["layers.{i}.attention_norm"], "layers.{i}.input_layernorm"),
    linear(&["layers.{i}.attention.query", "layers.{i}.attention.key", "layers.{i}.attention.value"], "layers.{i}.self_attn.qkv_proj"),
    linear(&["layers.{i}.attention.output"], "layers.{i}.self_attn.o_proj"),
    same(&["layers.{i}.feed_forward_norm"], "layers.{i}.post_attention_layernorm"),
    linear(&["layers.{i}.feed_forward.gate", "layers.{i}.feed_forward.up"], "layers.{i}.mlp.gate_up_proj"),
    linear(&["layers.{i}.feed_forward.down"], "layers.{i}.mlp.down_proj"),
    same(&["final_norm"], "norm"),
];

fn preset(preset: Preset) -> Map<String, Value> {
    llama::kin(
        preset,
        json!({
            "architectures": ["Phi3ForCausalLM"],
            "model_type": "phi3",
            "pad_token_id": null,
            "rms_norm_eps": 1e-5,
            "sliding_window": null,
        }),
    )
}
