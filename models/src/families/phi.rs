//! Phi: "Textbooks Are All You Need" (arXiv:2306.11644), phi-1 to phi-2.
//!
//! Attention and feed-forward network side by side behind one norm; rotary positions of a part
//! of each head.

use serde_json::{Map, Value, json};

use super::gpt2::{LM_HEAD, SCORE};
use super::heads::{decoder, outputs};
use super::{Class, Family, Preset, Ties, activation, object, own_head_dim};
use crate::blocks::attention::{AttentionConfig, QueryKeyNorm};
use crate::blocks::block::{BlockConfig, NormPosition};
use crate::blocks::embedding::EmbeddingConfig;
use crate::blocks::feed_forward::FeedForwardConfig;
use crate::blocks::norm::NormConfig;
use crate::checkpoint::rule::{Rule, linear, same, tensor};
use crate::config::RawConfig;
use crate::error::Result;
use crate::head::OutputConfig;
use crate::network::NetworkConfig;
use crate::rope::{Defaults, max_positions, rotary};
use crate::stack::{InputConfig, StackConfig};
use crate::task::Task;

/// The family.
pub const FAMILY: Family = Family {
    name: "phi",
    model_type: "phi",
    paper: "arXiv:2306.11644",
    classes: &[
        Class::with_head("PhiForCausalLM", Task::TextGeneration, LM_HEAD_WITH_BIAS),
        Class::bare("PhiModel", Task::FeatureExtraction),
        Class::with_head(
            "PhiForSequenceClassification",
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

fn read(raw: &RawConfig, task: Task) -> Result<NetworkConfig> {
    let d_model = raw.size("hidden_size")?;
    let heads = raw.size("num_attention_heads")?;
    let head_dim = own_head_dim(raw, d_model, heads)?;
    let norm = NormConfig::layer(raw.positive("layer_norm_eps")?);
    let defaults = Defaults {
        partial: 0.5,
        rotates_parts: true,
        ..Defaults::default()
    };
    let rotary = rotary(raw, head_dim, defaults)?;
    let longest = max_positions(raw, &rotary)?;
    let normed = raw.flag("qk_layernorm")?;
    let act = activation(raw, "hidden_act")?;
    let block = BlockConfig::new(
        NormPosition::ParallelOneNorm,
        norm,
        AttentionConfig {
            kv_heads: raw.size_opt("num_key_value_heads")?.unwrap_or(heads),
            query_key_norm: normed.then_some(QueryKeyNorm {
                norm,
                per_head: true,
            }),
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
    let tied = raw.flag("tie_word_embeddings")?;
    decoder(&mut config, raw, task, tied)?;
    if task == Task::TextGeneration {
        let vocab = config.vocab_size();
        if let Some(head) = &mut config.head {
            head.output = if tied {
                OutputConfig::Tied { bias: true }
            } else {
                outputs(vocab)
            };
        }
    }
    Ok(config)
}

#[rustfmt::skip]
const TENSORS: &[Rule] = &[
    same(&["embedding.token"], "embed_tokens"),
    same(&["layers.{i}.attention_norm"], "layers.{i}.input_layernorm"),
    linear(&["layers.{i}.attention.query"], "layers.{i}.self_attn.q_proj"),
    linear(&["layers.{i}.attention.key"], "layers.{i}.self_attn.k_proj"),
    linear(&["layers.{i}.attention.value"], "layers.{i}.self_attn.v_proj"),
    linear(&["layers.{i}.attention.output"], "layers.{i}.self_attn.dense"),
    same(&["layers.{i}.attention.query_norm"], "layers.{i}.self_attn.q_layernorm"),
    same(&["layers.{i}.attention.key_norm"], "layers.{i}.self_attn.k_layernorm"),
    linear(&["layers.{i}.feed_forward.up"], "layers.{i}.mlp.fc1"),
    linear(&["layers.{i}.feed_forward.down"], "layers.{i}.mlp.fc2"),
    same(&["final_norm"], "final_layernorm"),
];

const LM_HEAD_WITH_BIAS: &[Rule] = &[tensor(&["head.bias"], "lm_head.bias"), LM_HEAD[0]];

fn preset(preset: Preset) -> Map<String, Value> {
    let (d_model, layers, heads, positions, vocab) = match preset {
        Preset::Tiny => (128, 4, 4, 128, 256),
        Preset::Small => (384, 6, 6, 512, 256),
        Preset::Base => (2048, 24, 32, 2048, 51200),
    };
    object(json!({
        "architectures": ["PhiForCausalLM"],
        "model_type": "phi",
        "hidden_act": "gelu_new",
        "hidden_size": d_model,
        "initializer_range": 0.02,
        "intermediate_size": 4 * d_model,
        "layer_norm_eps": 1e-5,
        "max_position_embeddings": positions,
        "num_attention_heads": heads,
        "num_hidden_layers": layers,
        "partial_rotary_factor": 0.5,
        "qk_layernorm": false,
        "rope_theta": 10000.0,
        "vocab_size": vocab,
    }))
}
