//! GPT-NeoX: "An Open-Source Autoregressive Language Model" (arXiv:2204.06745), and Pythia.
//!
//! Attention and feed-forward network side by side, each with its norm; rotary positions of a
//! quarter of each head; queries, keys and values published head by head.

use serde_json::{Map, Value, json};

use super::gpt2::SCORE;
use super::heads::decoder;
use super::{Class, Family, Preset, Ties, activation, even_head_dim, object};
use crate::blocks::attention::{AttentionConfig, ProjectionBias};
use crate::blocks::block::{BlockConfig, NormPosition};
use crate::blocks::embedding::EmbeddingConfig;
use crate::blocks::feed_forward::FeedForwardConfig;
use crate::blocks::norm::NormConfig;
use crate::checkpoint::rule::{Rule, by_head, linear, same};
use crate::config::RawConfig;
use crate::error::Result;
use crate::network::NetworkConfig;
use crate::rope::{Defaults, max_positions, rotary};
use crate::stack::{InputConfig, StackConfig};
use crate::task::Task;

/// The family.
pub const FAMILY: Family = Family {
    name: "gpt-neox",
    model_type: "gpt_neox",
    paper: "arXiv:2204.06745",
    classes: &[
        Class::with_head("GPTNeoXForCausalLM", Task::TextGeneration, EMBED_OUT),
        Class::bare("GPTNeoXModel", Task::FeatureExtraction),
        Class::with_head(
            "GPTNeoXForSequenceClassification",
            Task::TextClassification,
            SCORE,
        ),
    ],
    prefix: "gpt_neox.",
    read,
    tensors: TENSORS,
    ties: Ties::PLAIN,
    preset,
};

fn read(raw: &RawConfig, task: Task) -> Result<NetworkConfig> {
    let d_model = raw.size("hidden_size")?;
    let heads = raw.size("num_attention_heads")?;
    let head_dim = even_head_dim(raw, d_model, heads)?;
    let norm = NormConfig::layer(raw.positive("layer_norm_eps")?);
    let defaults = Defaults {
        partial: 0.25,
        theta_key: "rotary_emb_base",
        partial_key: "rotary_pct",
        rotates_parts: true,
        ..Defaults::default()
    };
    let rotary = rotary(raw, head_dim, defaults)?;
    let longest = max_positions(raw, &rotary)?;
    let position = if raw.flag("use_parallel_residual")? {
        NormPosition::ParallelTwoNorms
    } else {
        NormPosition::Pre
    };
    let act = activation(raw, "hidden_act")?;
    let block = BlockConfig::new(
        position,
        norm,
        AttentionConfig {
            bias: ProjectionBias::all(raw.flag("attention_bias")?),
            causal: true,
            rotary: Some(rotary),
            ..AttentionConfig::new(heads, head_dim)
        },
        FeedForwardConfig::plain(raw.size("intermediate_size")?, act),
    );
    let input = InputConfig::Tokens(EmbeddingConfig::decoder(raw.size("vocab_size")?));
    let layers = raw.layers("num_hidden_layers")?;
    let mut config = NetworkConfig {
        decoder: Some(StackConfig {
            final_norm: Some(norm),
            max_positions: longest,
            ..StackConfig::uniform(d_model, layers, block, input)
        }),
        ..NetworkConfig::empty(raw.positive("initializer_range")?)
    };
    decoder(&mut config, raw, task, raw.flag("tie_word_embeddings")?)?;
    Ok(config)
}

#[rustfmt::skip]
const TENSORS: &[Rule] = &[
    same(&["embedding.token"], "embed_in"),
    same(&["layers.{i}.attention_norm"], "layers.{i}.input_layernorm"),
    by_head(&["layers.{i}.attention.query", "layers.{i}.attention.key", "layers.{i}.attention.value"], "layers.{i}.attention.query_key_value"),
    linear(&["layers.{i}.attention.output"], "layers.{i}.attention.dense"),
    same(&["layers.{i}.feed_forward_norm"], "layers.{i}.post_attention_layernorm"),
    linear(&["layers.{i}.feed_forward.up"], "layers.{i}.mlp.dense_h_to_4h"),
    linear(&["layers.{i}.feed_forward.down"], "layers.{i}.mlp.dense_4h_to_h"),
    same(&["final_norm"], "final_layer_norm"),
];
const EMBED_OUT: &[Rule] = &[linear(&["head.output"], "embed_out")];

fn preset(preset: Preset) -> Map<String, Value> {
    let (d_model, layers, heads, positions, vocab) = match preset {
        Preset::Tiny => (128, 4, 4, 128, 256),
        Preset::Small => (384, 6, 6, 512, 256),
        Preset::Base => (768, 12, 12, 2048, 50304),
    };
    object(json!({
        "architectures": ["GPTNeoXForCausalLM"],
        "model_type": "gpt_neox",
        "attention_bias": true,
        "hidden_act": "gelu",
        "hidden_size": d_model,
        "initializer_range": 0.02,
        "intermediate_size": 4 * d_model,
        "layer_norm_eps": 1e-5,
        "max_position_embeddings": positions,
        "num_attention_heads": heads,
        "num_hidden_layers": layers,
        "rotary_emb_base": 10000,
        "rotary_pct": 0.25,
        "tie_word_embeddings": false,
        "use_parallel_residual": true,
        "vocab_size": vocab,
    }))
}
