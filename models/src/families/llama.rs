//! Llama: "LLaMA: Open and Efficient Foundation Language Models" (arXiv:2302.13971), with
//! the grouped queries of its second generation (arXiv:2307.09288) and the scaled positions of
//! its third (arXiv:2407.21783).
//!
//! Pre-norm with RMSNorm, rotary positions in halves, a gated feed-forward network.

use serde_json::{Map, Value, json};

use super::gpt2::{LM_HEAD, SCORE};
use super::heads::decoder;
use super::{Class, Family, Preset, Ties, activation, merged, object, own_head_dim, sliding};
use crate::blocks::attention::{AttentionConfig, ProjectionBias};
use crate::blocks::block::{BlockConfig, NormPosition};
use crate::blocks::embedding::EmbeddingConfig;
use crate::blocks::feed_forward::FeedForwardConfig;
use crate::blocks::norm::NormConfig;
use crate::checkpoint::rule::{Rule, linear, same};
use crate::config::RawConfig;
use crate::error::{Error, Result};
use crate::network::NetworkConfig;
use crate::rope::{Rotating, max_positions, usual};
use crate::stack::{InputConfig, StackConfig};
use crate::task::Task;

/// The family.
pub const FAMILY: Family = Family {
    name: "llama",
    model_type: "llama",
    paper: "arXiv:2302.13971",
    classes: &[
        Class::with_head("LlamaForCausalLM", Task::TextGeneration, LM_HEAD)
            .also(&["LLaMAForCausalLM"]),
        Class::bare("LlamaModel", Task::FeatureExtraction),
        Class::with_head(
            "LlamaForSequenceClassification",
            Task::TextClassification,
            SCORE,
        ),
        Class::with_head(
            "LlamaForTokenClassification",
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
    let mut config = network(raw, usual)?;
    let bias = raw.flag("attention_bias")?;
    let mlp_bias = raw.flag("mlp_bias")?;
    for block in blocks(&mut config) {
        block.attention.bias = ProjectionBias::all(bias);
        block.feed_forward.bias = mlp_bias;
    }
    decoder(&mut config, raw, task, raw.flag("tie_word_embeddings")?)?;
    Ok(config)
}

/// The decoder without a head and without biases, as Llama's kin have it too.
pub(super) fn network(raw: &RawConfig, rotating: Rotating) -> Result<NetworkConfig> {
    let d_model = raw.size("hidden_size")?;
    let heads = raw.size("num_attention_heads")?;
    let head_dim = own_head_dim(raw, d_model, heads)?;
    let norm = NormConfig::rms(raw.positive("rms_norm_eps")?);
    let rotary = rotating(raw, head_dim)?;
    let longest = max_positions(raw, &rotary)?;
    // Gemma 2 and 3 call it by another name.
    let act = if raw.0.contains_key("hidden_activation") {
        activation(raw, "hidden_activation")?
    } else {
        activation(raw, "hidden_act")?
    };
    let block = BlockConfig::new(
        NormPosition::Pre,
        norm,
        AttentionConfig {
            kv_heads: raw.size_opt("num_key_value_heads")?.unwrap_or(heads),
            bias: ProjectionBias::all(false),
            causal: true,
            rotary: Some(rotary),
            ..AttentionConfig::new(heads, head_dim)
        },
        FeedForwardConfig::gated(raw.size("intermediate_size")?, act),
    );
    let input = InputConfig::Tokens(EmbeddingConfig::decoder(raw.size("vocab_size")?));
    let layers = raw.layers("num_hidden_layers")?;
    Ok(NetworkConfig {
        decoder: Some(StackConfig {
            final_norm: Some(norm),
            max_positions: longest,
            ..StackConfig::uniform(d_model, layers, block, input)
        }),
        ..NetworkConfig::empty(raw.positive("initializer_range")?)
    })
}

/// Gives every layer a window of `sliding_window` keys, where there is one.
pub(super) fn slide(config: &mut NetworkConfig, raw: &RawConfig) -> Result<()> {
    let window = raw.size_opt("sliding_window")?;
    for block in blocks(config) {
        block.attention.window = window;
    }
    Ok(())
}

/// Gives the layers that `layer_types` or, without it, `slides` says a window of `window` keys.
pub(super) fn slide_some(
    config: &mut NetworkConfig,
    raw: &RawConfig,
    window: Option<usize>,
    slides: impl Fn(usize) -> bool,
) -> Result<()> {
    let sliding = sliding(raw, config.layers(), slides)?;
    if window.is_none() && sliding.contains(&true) {
        return Err(Error::Config(
            "`layer_types` has layers that slide, but there is no `sliding_window`".into(),
        ));
    }
    for (block, slides) in blocks(config).zip(sliding) {
        block.attention.window = window.filter(|_| slides);
    }
    Ok(())
}

/// The blocks of a decoder.
pub(super) fn blocks(config: &mut NetworkConfig) -> impl Iterator<Item = &mut BlockConfig> {
    config
        .decoder
        .iter_mut()
        .flat_map(|stack| &mut stack.blocks)
}

#[rustfmt::skip]
pub(super) const TENSORS: &[Rule] = &[
    same(&["embedding.token"], "embed_tokens"),
    same(&["layers.{i}.attention_norm"], "layers.{i}.input_layernorm"),
    linear(&["layers.{i}.attention.query"], "layers.{i}.self_attn.q_proj"),
    linear(&["layers.{i}.attention.key"], "layers.{i}.self_attn.k_proj"),
    linear(&["layers.{i}.attention.value"], "layers.{i}.self_attn.v_proj"),
    linear(&["layers.{i}.attention.output"], "layers.{i}.self_attn.o_proj"),
    same(&["layers.{i}.attention.query_norm"], "layers.{i}.self_attn.q_norm"),
    same(&["layers.{i}.attention.key_norm"], "layers.{i}.self_attn.k_norm"),
    same(&["layers.{i}.feed_forward_norm"], "layers.{i}.post_attention_layernorm"),
    linear(&["layers.{i}.feed_forward.gate"], "layers.{i}.mlp.gate_proj"),
    linear(&["layers.{i}.feed_forward.up"], "layers.{i}.mlp.up_proj"),
    linear(&["layers.{i}.feed_forward.down"], "layers.{i}.mlp.down_proj"),
    same(&["final_norm"], "norm"),
];

fn preset(preset: Preset) -> Map<String, Value> {
    kin(
        preset,
        json!({
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "attention_bias": false,
            "mlp_bias": false,
        }),
    )
}

/// The `config.json` of a new model of Llama's kin: its sizes, and what `own` says.
pub(super) fn kin(preset: Preset, own: Value) -> Map<String, Value> {
    merged(sizes(preset), own)
}

fn sizes(preset: Preset) -> Map<String, Value> {
    let (d_model, d_ff, layers, heads, kv_heads, positions, vocab) = match preset {
        Preset::Tiny => (128, 352, 4, 4, 2, 128, 256),
        Preset::Small => (384, 1024, 6, 6, 2, 512, 256),
        Preset::Base => (4096, 11008, 32, 32, 32, 4096, 32000),
    };
    object(json!({
        "architectures": [],
        "model_type": "",
        "hidden_act": "silu",
        "hidden_size": d_model,
        "initializer_range": 0.02,
        "intermediate_size": d_ff,
        "max_position_embeddings": positions,
        "num_attention_heads": heads,
        "num_hidden_layers": layers,
        "num_key_value_heads": kv_heads,
        "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0,
        "tie_word_embeddings": false,
        "vocab_size": vocab,
    }))
}
