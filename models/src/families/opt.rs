//! OPT: "Open Pre-trained Transformer Language Models" (arXiv:2205.01068).
//!
//! Pre-norm (350M: post-norm), learned positions from row 2 on, ReLU, the head tied to the
//! token embedding.

use serde_json::{Map, Value, json};

use super::gpt2::{LM_HEAD, SCORE};
use super::heads::decoder;
use super::{Class, Family, Preset, Ties, activation, head_dim, object, only};
use crate::blocks::attention::{AttentionConfig, ProjectionBias};
use crate::blocks::block::{BlockConfig, NormPosition};
use crate::blocks::embedding::{Counting, EmbeddingConfig};
use crate::blocks::feed_forward::FeedForwardConfig;
use crate::blocks::norm::NormConfig;
use crate::blocks::position::PositionConfig;
use crate::checkpoint::rule::{Rule, linear, same};
use crate::config::RawConfig;
use crate::error::{Error, Result};
use crate::network::NetworkConfig;
use crate::stack::{InputConfig, StackConfig};
use crate::task::Task;

/// Row of the position table that belongs to position 0.
const OFFSET: usize = 2;

/// The family.
pub const FAMILY: Family = Family {
    name: "opt",
    model_type: "opt",
    paper: "arXiv:2205.01068",
    classes: &[
        Class::with_head("OPTForCausalLM", Task::TextGeneration, LM_HEAD),
        Class::bare("OPTModel", Task::FeatureExtraction),
        Class::with_head(
            "OPTForSequenceClassification",
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
    only(raw, "layer_norm_elementwise_affine", true)?;
    let d_model = raw.size("hidden_size")?;
    if raw.size_opt("word_embed_proj_dim")?.unwrap_or(d_model) != d_model {
        return Err(Error::Config(
            "a `word_embed_proj_dim` other than `hidden_size` is not supported".into(),
        ));
    }
    let heads = raw.size("num_attention_heads")?;
    let norm = NormConfig::layer(1e-5);
    let bias = raw.flag("enable_bias")?;
    let pre = raw.flag("do_layer_norm_before")?;
    let act = activation(raw, "activation_function")?;
    let block = BlockConfig::new(
        if pre {
            NormPosition::Pre
        } else {
            NormPosition::Post
        },
        norm,
        AttentionConfig {
            bias: ProjectionBias::all(bias),
            causal: true,
            ..AttentionConfig::new(heads, head_dim(d_model, heads)?)
        },
        FeedForwardConfig {
            bias,
            ..FeedForwardConfig::plain(raw.size("ffn_dim")?, act)
        },
    );
    let input = InputConfig::Tokens(EmbeddingConfig {
        position: Some(PositionConfig::Learned {
            rows: raw.size("max_position_embeddings")? + OFFSET,
            offset: OFFSET,
        }),
        counting: Counting::KeptAlways,
        ..EmbeddingConfig::tokens(raw.size("vocab_size")?)
    });
    let layers = raw.layers("num_hidden_layers")?;
    let ends_normed = pre && !raw.flag("_remove_final_layer_norm")?;
    let mut config = NetworkConfig {
        decoder: Some(StackConfig {
            final_norm: ends_normed.then_some(norm),
            ..StackConfig::uniform(d_model, layers, block, input)
        }),
        ..NetworkConfig::empty(raw.positive("init_std")?)
    };
    decoder(&mut config, raw, task, raw.flag("tie_word_embeddings")?)?;
    Ok(config)
}

#[rustfmt::skip]
const TENSORS: &[Rule] = &[
    same(&["embedding.token"], "decoder.embed_tokens"),
    same(&["embedding.position.table"], "decoder.embed_positions"),
    linear(&["layers.{i}.attention.query"], "decoder.layers.{i}.self_attn.q_proj"),
    linear(&["layers.{i}.attention.key"], "decoder.layers.{i}.self_attn.k_proj"),
    linear(&["layers.{i}.attention.value"], "decoder.layers.{i}.self_attn.v_proj"),
    linear(&["layers.{i}.attention.output"], "decoder.layers.{i}.self_attn.out_proj"),
    same(&["layers.{i}.attention_norm"], "decoder.layers.{i}.self_attn_layer_norm"),
    linear(&["layers.{i}.feed_forward.up"], "decoder.layers.{i}.fc1"),
    linear(&["layers.{i}.feed_forward.down"], "decoder.layers.{i}.fc2"),
    same(&["layers.{i}.feed_forward_norm"], "decoder.layers.{i}.final_layer_norm"),
    same(&["final_norm"], "decoder.final_layer_norm"),
];

fn preset(preset: Preset) -> Map<String, Value> {
    let (d_model, layers, heads, positions, vocab) = match preset {
        Preset::Tiny => (128, 4, 4, 128, 256),
        Preset::Small => (384, 6, 6, 512, 256),
        Preset::Base => (768, 12, 12, 2048, 50272),
    };
    object(json!({
        "architectures": ["OPTForCausalLM"],
        "model_type": "opt",
        "activation_function": "relu",
        "do_layer_norm_before": true,
        "ffn_dim": 4 * d_model,
        "hidden_size": d_model,
        "init_std": 0.02,
        "max_position_embeddings": positions,
        "num_attention_heads": heads,
        "num_hidden_layers": layers,
        "pad_token_id": 1,
        "tie_word_embeddings": true,
        "vocab_size": vocab,
        "word_embed_proj_dim": d_model,
    }))
}
