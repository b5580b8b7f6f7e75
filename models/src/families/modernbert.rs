//! ModernBERT: "Smarter, Better, Faster, Longer" (arXiv:2412.13663).
//!
//! A pre-norm encoder with rotary positions, gated networks and, in most layers, attention to
//! the neighbourhood only. Its norms and linear layers have no biases.

use serde_json::{Map, Value, json};

use super::bert::PER_TOKEN;
use super::heads::{fill_mask, outputs};
use super::{Class, Family, Preset, Ties, activation, head_dim, object};
use crate::blocks::attention::{AttentionConfig, ProjectionBias};
use crate::blocks::block::{BlockConfig, NormPosition};
use crate::blocks::embedding::EmbeddingConfig;
use crate::blocks::feed_forward::FeedForwardConfig;
use crate::blocks::norm::{NormConfig, NormKind};
use crate::checkpoint::rule::{Rule, linear, same, tensor};
use crate::config::Raw;
use crate::error::{Error, Result};
use crate::head::{DenseConfig, HeadConfig, OutputConfig, Read};
use crate::network::NetworkConfig;
use crate::rope::{Defaults, rotary};
use crate::stack::{InputConfig, StackConfig};
use crate::task::Task;

/// The family.
pub const FAMILY: Family = Family {
    name: "modernbert",
    model_type: "modernbert",
    paper: "arXiv:2412.13663",
    classes: &[
        Class::with_head("ModernBertForMaskedLM", Task::FillMask, FILL_MASK),
        Class::bare("ModernBertModel", Task::FeatureExtraction),
        Class::with_head(
            "ModernBertForSequenceClassification",
            Task::TextClassification,
            CLASSIFY,
        ),
        Class::with_head(
            "ModernBertForTokenClassification",
            Task::TokenClassification,
            CLASSIFY,
        ),
    ],
    prefix: "model.",
    read,
    tensors: TENSORS,
    ties: Ties::PLAIN,
    preset,
};

fn read(raw: &Raw, task: Task) -> Result<NetworkConfig> {
    let d_model = raw.size("hidden_size")?;
    let heads = raw.size("num_attention_heads")?;
    let head_dim = head_dim(d_model, heads)?;
    let norm = NormConfig {
        kind: match raw.bool_or("norm_bias", false)? {
            true => NormKind::Layer,
            false => NormKind::LayerWithoutBias,
        },
        epsilon: raw.positive_or("norm_eps", 1e-5)?,
    };
    let act = activation(raw, "hidden_activation", "gelu")?;
    let block = BlockConfig::new(
        NormPosition::Pre,
        norm,
        AttentionConfig {
            bias: ProjectionBias::all(raw.bool_or("attention_bias", false)?),
            ..AttentionConfig::new(heads, head_dim)
        },
        FeedForwardConfig {
            bias: raw.bool_or("mlp_bias", false)?,
            ..FeedForwardConfig::gated(raw.size("intermediate_size")?, act)
        },
    );
    let layers = raw.layers("num_hidden_layers")?;
    let input = InputConfig::Tokens(EmbeddingConfig {
        norm: Some(norm),
        ..EmbeddingConfig::tokens(raw.size("vocab_size")?)
    });
    let mut stack = StackConfig {
        final_norm: Some(norm),
        max_positions: raw.size("max_position_embeddings")?,
        ..StackConfig::uniform(d_model, layers, block, input)
    };
    attend(raw, head_dim, &mut stack)?;
    let mut config = NetworkConfig {
        encoder: Some(stack),
        ..NetworkConfig::empty(raw.positive_or("initializer_range", 0.02)?)
    };
    let dense = DenseConfig {
        width: d_model,
        bias: raw.bool_or("classifier_bias", false)?,
        activation: activation(raw, "classifier_activation", "gelu")?,
        norm: Some(norm),
    };
    config.head = match task {
        Task::FillMask => Some(HeadConfig {
            output: OutputConfig::Tied {
                bias: raw.bool_or("decoder_bias", true)?,
            },
            ..fill_mask(d_model, dense.activation, norm).behind(dense)
        }),
        Task::TextClassification => {
            let read = match raw.text("classifier_pooling")?.unwrap_or("cls") {
                "cls" => Read::First,
                "mean" => Read::Mean,
                other => return Err(Error::Config(format!("no `classifier_pooling` `{other}`"))),
            };
            Some(HeadConfig::of(read, outputs(raw.labels()?)).behind(dense))
        }
        Task::TokenClassification => Some(HeadConfig::every(outputs(raw.labels()?)).behind(dense)),
        _ => None,
    };
    Ok(config)
}

/// Each layer's window and rotary positions; the first has no norm before its attention.
fn attend(raw: &Raw, head_dim: usize, stack: &mut StackConfig) -> Result<()> {
    let every = raw.size_opt("global_attn_every_n_layers")?.unwrap_or(3);
    let window = raw.size_opt("local_attention")?.unwrap_or(128) / 2 + 1;
    let types = raw.texts("layer_types")?;
    let tables = |kind, theta_key, theta| {
        let mut defaults = Defaults::default();
        (defaults.theta, defaults.theta_key) = (theta, theta_key);
        rotary(raw, head_dim, kind, defaults)
    };
    let whole = tables("full_attention", "global_rope_theta", 160_000.0)?;
    let local = tables("sliding_attention", "local_rope_theta", 10_000.0)?;
    for (layer, block) in stack.blocks.iter_mut().enumerate() {
        let sliding = match types.as_ref().and_then(|types| types.get(layer)) {
            Some(kind) => *kind == "sliding_attention",
            None => !layer.is_multiple_of(every),
        };
        block.attention.window = sliding.then_some(window);
        block.attention.rotary = Some(if sliding {
            local.clone()
        } else {
            whole.clone()
        });
        block.attention_norm = layer > 0;
    }
    Ok(())
}

#[rustfmt::skip]
const TENSORS: &[Rule] = &[
    same(&["embedding.token"], "embeddings.tok_embeddings"),
    same(&["embedding.norm"], "embeddings.norm"),
    same(&["layers.{i}.attention_norm"], "layers.{i}.attn_norm"),
    linear(&["layers.{i}.attention.query", "layers.{i}.attention.key", "layers.{i}.attention.value"], "layers.{i}.attn.Wqkv"),
    linear(&["layers.{i}.attention.output"], "layers.{i}.attn.Wo"),
    same(&["layers.{i}.feed_forward_norm"], "layers.{i}.mlp_norm"),
    linear(&["layers.{i}.feed_forward.gate", "layers.{i}.feed_forward.up"], "layers.{i}.mlp.Wi"),
    linear(&["layers.{i}.feed_forward.down"], "layers.{i}.mlp.Wo"),
    same(&["final_norm"], "final_norm"),
];
const FILL_MASK: &[Rule] = &[
    linear(&["head.dense"], "head.dense"),
    same(&["head.norm"], "head.norm"),
    tensor(&["head.bias"], "decoder.bias"),
    linear(&["head.output"], "decoder"),
];
const CLASSIFY: &[Rule] = &[
    linear(&["head.dense"], "head.dense"),
    same(&["head.norm"], "head.norm"),
    PER_TOKEN[0],
];

fn preset(preset: Preset) -> Map<String, Value> {
    let (d_model, d_ff, layers, heads, positions, vocab) = match preset {
        Preset::Tiny => (128, 192, 4, 4, 128, 256),
        Preset::Small => (384, 576, 6, 6, 1024, 50368),
        Preset::Base => (768, 1152, 22, 12, 8192, 50368),
    };
    object(json!({
        "architectures": ["ModernBertForMaskedLM"],
        "model_type": "modernbert",
        "attention_bias": false,
        "decoder_bias": true,
        "global_attn_every_n_layers": 3,
        "global_rope_theta": 160000.0,
        "hidden_activation": "gelu",
        "hidden_size": d_model,
        "initializer_range": 0.02,
        "intermediate_size": d_ff,
        "local_attention": 128.min(positions),
        "local_rope_theta": 10000.0,
        "max_position_embeddings": positions,
        "mlp_bias": false,
        "norm_bias": false,
        "norm_eps": 1e-5,
        "num_attention_heads": heads,
        "num_hidden_layers": layers,
        "pad_token_id": 0,
        "vocab_size": vocab,
    }))
}
