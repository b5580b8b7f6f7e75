//! BLOOM: "A 176B-Parameter Open-Access Multilingual Language Model" (arXiv:2211.05100).
//!
//! Pre-norm with ALiBi in place of positions and a norm behind the embedding; queries, keys and
//! values published head by head.

use serde_json::{Map, Value, json};

use super::gpt2::{LM_HEAD, SCORE};
use super::heads::decoder;
use super::{Class, Family, Preset, Ties, head_dim, object, only};
use crate::blocks::activation::Activation;
use crate::blocks::attention::AttentionConfig;
use crate::blocks::bias::BiasConfig;
use crate::blocks::block::{BlockConfig, NormPosition};
use crate::blocks::embedding::EmbeddingConfig;
use crate::blocks::feed_forward::FeedForwardConfig;
use crate::blocks::norm::NormConfig;
use crate::checkpoint::rule::{Rule, by_head, linear, same};
use crate::config::RawConfig;
use crate::error::Result;
use crate::network::NetworkConfig;
use crate::stack::{InputConfig, StackConfig};
use crate::task::Task;

/// The family.
pub const FAMILY: Family = Family {
    name: "bloom",
    model_type: "bloom",
    paper: "arXiv:2211.05100",
    classes: &[
        Class::with_head("BloomForCausalLM", Task::TextGeneration, LM_HEAD),
        Class::bare("BloomModel", Task::FeatureExtraction),
        Class::with_head(
            "BloomForSequenceClassification",
            Task::TextClassification,
            SCORE,
        ),
    ],
    prefix: "transformer.",
    read,
    tensors: TENSORS,
    ties: Ties::PLAIN,
    preset,
};

fn read(raw: &RawConfig, task: Task) -> Result<NetworkConfig> {
    only(raw, "apply_residual_connection_post_layernorm", false)?;
    // The first releases had another key.
    let d_model = match raw.size_opt("n_embed")? {
        Some(size) => size,
        None => raw.size("hidden_size")?,
    };
    let heads = raw.size("n_head")?;
    let norm = NormConfig::layer(raw.positive("layer_norm_epsilon")?);
    let block = BlockConfig::new(
        NormPosition::Pre,
        norm,
        AttentionConfig {
            causal: true,
            ..AttentionConfig::new(heads, head_dim(d_model, heads)?)
        },
        FeedForwardConfig::plain(4 * d_model, Activation::GeluTanh),
    );
    let input = InputConfig::Tokens(EmbeddingConfig {
        norm: Some(norm),
        ..EmbeddingConfig::decoder(raw.size("vocab_size")?)
    });
    let layers = raw.layers("n_layer")?;
    let mut config = NetworkConfig {
        decoder: Some(StackConfig {
            final_norm: Some(norm),
            bias: Some(BiasConfig::Alibi),
            ..StackConfig::uniform(d_model, layers, block, input)
        }),
        ..NetworkConfig::empty(raw.positive("initializer_range")?)
    };
    decoder(&mut config, raw, task, raw.flag("tie_word_embeddings")?)?;
    Ok(config)
}

#[rustfmt::skip]
const TENSORS: &[Rule] = &[
    same(&["embedding.token"], "word_embeddings"),
    same(&["embedding.norm"], "word_embeddings_layernorm"),
    same(&["layers.{i}.attention_norm"], "h.{i}.input_layernorm"),
    by_head(&["layers.{i}.attention.query", "layers.{i}.attention.key", "layers.{i}.attention.value"], "h.{i}.self_attention.query_key_value"),
    linear(&["layers.{i}.attention.output"], "h.{i}.self_attention.dense"),
    same(&["layers.{i}.feed_forward_norm"], "h.{i}.post_attention_layernorm"),
    linear(&["layers.{i}.feed_forward.up"], "h.{i}.mlp.dense_h_to_4h"),
    linear(&["layers.{i}.feed_forward.down"], "h.{i}.mlp.dense_4h_to_h"),
    same(&["final_norm"], "ln_f"),
];

fn preset(preset: Preset) -> Map<String, Value> {
    let (d_model, layers, heads, vocab) = match preset {
        Preset::Tiny => (128, 4, 4, 256),
        Preset::Small => (384, 6, 6, 256),
        Preset::Base => (1024, 24, 16, 250880),
    };
    object(json!({
        "architectures": ["BloomForCausalLM"],
        "model_type": "bloom",
        "hidden_size": d_model,
        "initializer_range": 0.02,
        "layer_norm_epsilon": 1e-5,
        "n_head": heads,
        "n_layer": layers,
        "tie_word_embeddings": true,
        "vocab_size": vocab,
    }))
}
