//! GPT-2: "Language Models are Unsupervised Multitask Learners" (OpenAI, 2019).
//!
//! Pre-norm, learned positions, the head tied to the token embedding. Its linear layers are
//! published as `[in, out]`, queries, keys and values in one.

use serde_json::{Map, Value, json};

use super::heads::decoder;
use super::{Class, Family, Preset, Ties, activation, head_dim, object, only};
use crate::blocks::attention::AttentionConfig;
use crate::blocks::block::{BlockConfig, NormPosition};
use crate::blocks::embedding::EmbeddingConfig;
use crate::blocks::feed_forward::FeedForwardConfig;
use crate::blocks::norm::NormConfig;
use crate::blocks::position::PositionConfig;
use crate::checkpoint::rule::{Rule, columns, linear, same};
use crate::config::RawConfig;
use crate::error::Result;
use crate::network::NetworkConfig;
use crate::stack::{InputConfig, StackConfig};
use crate::task::Task;

/// The family.
pub const FAMILY: Family = Family {
    name: "gpt2",
    model_type: "gpt2",
    paper: "OpenAI, 2019",
    classes: &[
        Class::with_head("GPT2LMHeadModel", Task::TextGeneration, LM_HEAD)
            .also(&["GPT2DoubleHeadsModel"]),
        Class::bare("GPT2Model", Task::FeatureExtraction),
        Class::with_head(
            "GPT2ForSequenceClassification",
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
    only(raw, "add_cross_attention", false)?;
    let d_model = raw.size("n_embd")?;
    let heads = raw.size("n_head")?;
    let norm = NormConfig::layer(raw.positive("layer_norm_epsilon")?);
    let d_ff = raw.size_opt("n_inner")?.unwrap_or(4 * d_model);
    let block = BlockConfig::new(
        NormPosition::Pre,
        norm,
        AttentionConfig {
            causal: true,
            ..AttentionConfig::new(heads, head_dim(d_model, heads)?)
        },
        FeedForwardConfig::plain(d_ff, activation(raw, "activation_function")?),
    );
    let embedding = EmbeddingConfig {
        position: Some(PositionConfig::Learned {
            rows: raw.size("n_positions")?,
            offset: 0,
        }),
        ..EmbeddingConfig::decoder(raw.size("vocab_size")?)
    };
    let layers = raw.layers("n_layer")?;
    let input = InputConfig::Tokens(embedding);
    let mut config = NetworkConfig {
        decoder: Some(StackConfig {
            final_norm: Some(norm),
            ..StackConfig::uniform(d_model, layers, block, input)
        }),
        ..NetworkConfig::empty(raw.positive("initializer_range")?)
    };
    scale(&mut config, raw)?;
    let tied = raw.flag("tie_word_embeddings")?;
    decoder(&mut config, raw, task, tied)?;
    Ok(config)
}

/// What scores are multiplied by: 1 / √head_dim where they are scaled at all, and 1 / (layer + 1)
/// where that counts too.
fn scale(config: &mut NetworkConfig, raw: &RawConfig) -> Result<()> {
    let scaled = raw.flag("scale_attn_weights")?;
    let by_layer = raw.flag("scale_attn_by_inverse_layer_idx")?;
    let head_dim = config.head_dim() as f64;
    if scaled && !by_layer {
        return Ok(());
    }
    let blocks = config
        .decoder
        .iter_mut()
        .flat_map(|stack| &mut stack.blocks);
    for (layer, block) in blocks.enumerate() {
        let whole = if scaled { head_dim.powf(-0.5) } else { 1.0 };
        let layers = if by_layer { layer as f64 + 1.0 } else { 1.0 };
        block.attention.scale = Some(whole / layers);
    }
    Ok(())
}

#[rustfmt::skip]
const TENSORS: &[Rule] = &[
    same(&["embedding.token"], "wte"),
    same(&["embedding.position.table"], "wpe"),
    same(&["layers.{i}.attention_norm"], "h.{i}.ln_1"),
    columns(&["layers.{i}.attention.query", "layers.{i}.attention.key", "layers.{i}.attention.value"], "h.{i}.attn.c_attn"),
    columns(&["layers.{i}.attention.output"], "h.{i}.attn.c_proj"),
    same(&["layers.{i}.feed_forward_norm"], "h.{i}.ln_2"),
    columns(&["layers.{i}.feed_forward.up"], "h.{i}.mlp.c_fc"),
    columns(&["layers.{i}.feed_forward.down"], "h.{i}.mlp.c_proj"),
    same(&["final_norm"], "ln_f"),
];
pub(super) const LM_HEAD: &[Rule] = &[linear(&["head.output"], "lm_head")];
pub(super) const SCORE: &[Rule] = &[linear(&["head.output"], "score")];

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
