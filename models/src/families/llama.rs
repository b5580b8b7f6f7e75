//! Llama: "LLaMA: Open and Efficient Foundation Language Models" (arXiv:2302.13971), with
//! the grouped queries of its second generation (arXiv:2307.09288).
//!
//! Pre-norm with RMSNorm, rotary positions in halves, a gated feed-forward network.

use serde_json::{Map, Value, json};

use super::{Family, Preset, activation, head_dim, object};
use crate::blocks::attention::AttentionConfig;
use crate::blocks::block::{BlockConfig, NormPosition};
use crate::blocks::embedding::EmbeddingConfig;
use crate::blocks::feed_forward::FeedForwardConfig;
use crate::blocks::norm::{NormConfig, NormKind};
use crate::blocks::position::{RotaryConfig, RotaryLayout};
use crate::checkpoint::rule::{Rule, same, transposed};
use crate::config::Raw;
use crate::error::Result;
use crate::network::{Head, NetworkConfig};
use crate::task::Task;

/// The family.
pub const FAMILY: Family = Family {
    name: "llama",
    paper: "arXiv:2302.13971",
    architectures: &[
        ("LlamaModel", Task::FeatureExtraction),
        ("LlamaForCausalLM", Task::TextGeneration),
    ],
    prefix: "model.",
    read,
    tensors: TENSORS,
    preset,
};

fn read(raw: &Raw, task: Task) -> Result<NetworkConfig> {
    let d_model = raw.size("hidden_size")?;
    let heads = raw.size("num_attention_heads")?;
    let vocab_size = raw.size("vocab_size")?;
    let head_dim = match raw.size_opt("head_dim")? {
        Some(size) => size,
        None => head_dim(d_model, heads)?,
    };
    let norm = NormConfig {
        kind: NormKind::Rms,
        epsilon: raw.positive_or("rms_norm_eps", 1e-6)?,
    };
    let attention_bias = raw.bool_or("attention_bias", false)?;
    Ok(NetworkConfig {
        vocab_size,
        d_model,
        layers: raw.size("num_hidden_layers")?,
        max_positions: raw.size("max_position_embeddings")?,
        embedding: EmbeddingConfig {
            vocab_size,
            positions: 0,
            token_types: 0,
            norm: None,
        },
        block: BlockConfig {
            norm_position: NormPosition::Pre,
            norm,
            attention: AttentionConfig {
                heads,
                kv_heads: raw.size_opt("num_key_value_heads")?.unwrap_or(heads),
                head_dim,
                qkv_bias: attention_bias,
                output_bias: attention_bias,
                scale: None,
                causal: true,
                rotary: Some(RotaryConfig {
                    theta: raw.rotary_theta()?,
                    dim: head_dim,
                    layout: RotaryLayout::Halves,
                }),
            },
            feed_forward: FeedForwardConfig {
                d_ff: raw.size("intermediate_size")?,
                gated: true,
                activation: activation(raw, "hidden_act", "silu")?,
                bias: raw.bool_or("mlp_bias", false)?,
            },
        },
        final_norm: Some(norm),
        pooler: false,
        head: match task {
            Task::FeatureExtraction => Head::None,
            Task::TextGeneration if raw.bool_or("tie_word_embeddings", false)? => Head::Tied,
            Task::TextGeneration => Head::Linear,
        },
        initializer_range: raw.positive_or("initializer_range", 0.02)?,
    })
}

const TENSORS: &[Rule] = &[
    same("embedding.token.weight", "embed_tokens.weight"),
    same(
        "layers.{i}.attention_norm.weight",
        "layers.{i}.input_layernorm.weight",
    ),
    transposed(
        "layers.{i}.attention.query.weight",
        "layers.{i}.self_attn.q_proj.weight",
    ),
    same(
        "layers.{i}.attention.query.bias",
        "layers.{i}.self_attn.q_proj.bias",
    ),
    transposed(
        "layers.{i}.attention.key.weight",
        "layers.{i}.self_attn.k_proj.weight",
    ),
    same(
        "layers.{i}.attention.key.bias",
        "layers.{i}.self_attn.k_proj.bias",
    ),
    transposed(
        "layers.{i}.attention.value.weight",
        "layers.{i}.self_attn.v_proj.weight",
    ),
    same(
        "layers.{i}.attention.value.bias",
        "layers.{i}.self_attn.v_proj.bias",
    ),
    transposed(
        "layers.{i}.attention.output.weight",
        "layers.{i}.self_attn.o_proj.weight",
    ),
    same(
        "layers.{i}.attention.output.bias",
        "layers.{i}.self_attn.o_proj.bias",
    ),
    same(
        "layers.{i}.feed_forward_norm.weight",
        "layers.{i}.post_attention_layernorm.weight",
    ),
    transposed(
        "layers.{i}.feed_forward.gate.weight",
        "layers.{i}.mlp.gate_proj.weight",
    ),
    same(
        "layers.{i}.feed_forward.gate.bias",
        "layers.{i}.mlp.gate_proj.bias",
    ),
    transposed(
        "layers.{i}.feed_forward.up.weight",
        "layers.{i}.mlp.up_proj.weight",
    ),
    same(
        "layers.{i}.feed_forward.up.bias",
        "layers.{i}.mlp.up_proj.bias",
    ),
    transposed(
        "layers.{i}.feed_forward.down.weight",
        "layers.{i}.mlp.down_proj.weight",
    ),
    same(
        "layers.{i}.feed_forward.down.bias",
        "layers.{i}.mlp.down_proj.bias",
    ),
    same("final_norm.weight", "norm.weight"),
    transposed("head.weight", "lm_head.weight"),
];

fn preset(preset: Preset) -> Map<String, Value> {
    let (d_model, d_ff, layers, heads, kv_heads, positions, vocab) = match preset {
        Preset::Tiny => (128, 352, 4, 4, 2, 128, 256),
        Preset::Small => (384, 1024, 6, 6, 2, 512, 256),
        Preset::Base => (4096, 11008, 32, 32, 32, 4096, 32000),
    };
    object(json!({
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "attention_bias": false,
        "hidden_act": "silu",
        "hidden_size": d_model,
        "initializer_range": 0.02,
        "intermediate_size": d_ff,
        "max_position_embeddings": positions,
        "mlp_bias": false,
        "num_attention_heads": heads,
        "num_hidden_layers": layers,
        "num_key_value_heads": kv_heads,
        "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0,
        "tie_word_embeddings": false,
        "vocab_size": vocab,
    }))
}
