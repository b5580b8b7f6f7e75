//! GPT-2: "Language Models are Unsupervised Multitask Learners" (Radford et al., 2019).
//!
//! Pre-norm, learned positions, tied head. Its `Conv1D` weights are `[in, out]` already, and
//! its attention projects query, key and value in one.

use serde_json::{Map, Value, json};

use super::{Family, Preset, activation, head_dim, object, only};
use crate::blocks::attention::AttentionConfig;
use crate::blocks::block::{BlockConfig, NormPosition};
use crate::blocks::embedding::EmbeddingConfig;
use crate::blocks::feed_forward::FeedForwardConfig;
use crate::blocks::norm::{NormConfig, NormKind};
use crate::checkpoint::rule::{Rule, column, same, transposed};
use crate::config::Raw;
use crate::error::Result;
use crate::network::{Head, NetworkConfig};
use crate::task::Task;

/// The family.
pub const FAMILY: Family = Family {
    name: "gpt2",
    paper: "Radford et al. 2019",
    architectures: &[
        ("GPT2Model", Task::FeatureExtraction),
        ("GPT2LMHeadModel", Task::TextGeneration),
    ],
    prefix: "transformer.",
    read,
    tensors: TENSORS,
    preset,
};

fn read(raw: &Raw, task: Task) -> Result<NetworkConfig> {
    only(raw, "scale_attn_weights", true)?;
    only(raw, "scale_attn_by_inverse_layer_idx", false)?;
    only(raw, "add_cross_attention", false)?;
    let d_model = raw.size("n_embd")?;
    let heads = raw.size("n_head")?;
    let vocab_size = raw.size("vocab_size")?;
    let max_positions = raw.size("n_positions")?;
    let norm = NormConfig {
        kind: NormKind::Layer,
        epsilon: raw.positive_or("layer_norm_epsilon", 1e-5)?,
    };
    Ok(NetworkConfig {
        vocab_size,
        d_model,
        layers: raw.size("n_layer")?,
        max_positions,
        embedding: EmbeddingConfig {
            vocab_size,
            positions: max_positions,
            token_types: 0,
            norm: None,
        },
        block: BlockConfig {
            norm_position: NormPosition::Pre,
            norm,
            attention: AttentionConfig {
                heads,
                kv_heads: heads,
                head_dim: head_dim(d_model, heads)?,
                qkv_bias: true,
                output_bias: true,
                scale: None,
                causal: true,
                rotary: None,
            },
            feed_forward: FeedForwardConfig {
                d_ff: raw.size_opt("n_inner")?.unwrap_or(4 * d_model),
                gated: false,
                activation: activation(raw, "activation_function", "gelu_new")?,
                bias: true,
            },
        },
        final_norm: Some(norm),
        pooler: false,
        head: match task {
            Task::FeatureExtraction => Head::None,
            Task::TextGeneration if raw.bool_or("tie_word_embeddings", true)? => Head::Tied,
            Task::TextGeneration => Head::Linear,
        },
        initializer_range: raw.positive_or("initializer_range", 0.02)?,
    })
}

const TENSORS: &[Rule] = &[
    same("embedding.token.weight", "wte.weight"),
    same("embedding.position.weight", "wpe.weight"),
    same("layers.{i}.attention_norm.weight", "h.{i}.ln_1.weight"),
    same("layers.{i}.attention_norm.bias", "h.{i}.ln_1.bias"),
    column(
        "layers.{i}.attention.query.weight",
        "h.{i}.attn.c_attn.weight",
        0,
        3,
    ),
    column(
        "layers.{i}.attention.key.weight",
        "h.{i}.attn.c_attn.weight",
        1,
        3,
    ),
    column(
        "layers.{i}.attention.value.weight",
        "h.{i}.attn.c_attn.weight",
        2,
        3,
    ),
    column(
        "layers.{i}.attention.query.bias",
        "h.{i}.attn.c_attn.bias",
        0,
        3,
    ),
    column(
        "layers.{i}.attention.key.bias",
        "h.{i}.attn.c_attn.bias",
        1,
        3,
    ),
    column(
        "layers.{i}.attention.value.bias",
        "h.{i}.attn.c_attn.bias",
        2,
        3,
    ),
    same(
        "layers.{i}.attention.output.weight",
        "h.{i}.attn.c_proj.weight",
    ),
    same("layers.{i}.attention.output.bias", "h.{i}.attn.c_proj.bias"),
    same("layers.{i}.feed_forward_norm.weight", "h.{i}.ln_2.weight"),
    same("layers.{i}.feed_forward_norm.bias", "h.{i}.ln_2.bias"),
    same("layers.{i}.feed_forward.up.weight", "h.{i}.mlp.c_fc.weight"),
    same("layers.{i}.feed_forward.up.bias", "h.{i}.mlp.c_fc.bias"),
    same(
        "layers.{i}.feed_forward.down.weight",
        "h.{i}.mlp.c_proj.weight",
    ),
    same("layers.{i}.feed_forward.down.bias", "h.{i}.mlp.c_proj.bias"),
    same("final_norm.weight", "ln_f.weight"),
    same("final_norm.bias", "ln_f.bias"),
    transposed("head.weight", "lm_head.weight"),
];

fn preset(preset: Preset) -> Map<String, Value> {
    let (d_model, layers, heads, positions, vocab) = match preset {
        Preset::Tiny => (128, 4, 4, 128, 256),
        Preset::Small => (384, 6, 6, 512, 256),
        Preset::Base => (768, 12, 12, 1024, 50257),
    };
    object(json!({
        "architectures": ["GPT2LMHeadModel"],
        "model_type": "gpt2",
        "activation_function": "gelu_new",
        "initializer_range": 0.02,
        "layer_norm_epsilon": 1e-5,
        "n_embd": d_model,
        "n_head": heads,
        "n_inner": null,
        "n_layer": layers,
        "n_positions": positions,
        "tie_word_embeddings": true,
        "vocab_size": vocab,
    }))
}
