//! ModernBERT: "Smarter, Better, Faster, Longer" (arXiv:2412.13663).
//!
//! A pre-norm encoder with rotary positions, gated networks and, in most layers, attention to
//! the neighbourhood only. Its norms and linear layers have no biases.

use serde_json::{Map, Value, json};

use super::bert::PER_TOKEN;
use super::heads::{fill_mask, outputs};
use super::{Class, Family, Preset, Ties, activation, even_head_dim, object, sliding};
use crate::blocks::attention::{AttentionConfig, ProjectionBias};
use crate::blocks::block::{BlockConfig, NormPosition};
use crate::blocks::embedding::EmbeddingConfig;
use crate::blocks::feed_forward::FeedForwardConfig;
use crate::blocks::norm::{NormConfig, NormKind};
use crate::checkpoint::rule::{Rule, linear, same, tensor};
use crate::config::RawConfig;
use crate::error::{Error, Result};
use crate::head::{DenseConfig, HeadConfig, OutputConfig, Pooling};
use crate::network::NetworkConfig;
use crate::rope::{Layered, layered};
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

fn read(raw: &RawConfig, task: Task) -> Result<NetworkConfig> {
    let d_model = raw.size("hidden_size")?;
    let heads = raw.size("num_attention_heads")?;
    let head_dim = even_head_dim(raw, d_model, heads)?;
    let norm = NormConfig {
        kind: if raw.flag("norm_bias")? {
            NormKind::Layer
        } else {
            NormKind::LayerWithoutBias
        },
        epsilon: raw.positive("norm_eps")?,
    };
    let act = activation(raw, "hidden_activation")?;
    let block = BlockConfig::new(
        NormPosition::Pre,
        norm,
        AttentionConfig {
            bias: ProjectionBias::all(raw.flag("attention_bias")?),
            ..AttentionConfig::new(heads, head_dim)
        },
        FeedForwardConfig {
            bias: raw.flag("mlp_bias")?,
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
        ..NetworkConfig::empty(raw.positive("initializer_range")?)
    };
    let dense = DenseConfig {
        width: d_model,
        bias: raw.flag("classifier_bias")?,
        activation: activation(raw, "classifier_activation")?,
        norm: Some(norm),
    };
    config.head = match task {
        Task::FillMask => Some(HeadConfig {
            output: OutputConfig::Tied {
                bias: raw.flag("decoder_bias")?,
            },
            ..fill_mask(d_model, dense.activation, norm).behind(dense)
        }),
        Task::TextClassification => {
            let read = match raw.word("classifier_pooling")? {
                "cls" => Pooling::First,
                "mean" => Pooling::Mean,
                other => return Err(Error::Config(format!("no `classifier_pooling` `{other}`"))),
            };
            Some(HeadConfig::of(read, outputs(raw.labels()?)).behind(dense))
        }
        Task::TokenClassification => Some(HeadConfig::every(outputs(raw.labels()?)).behind(dense)),
        _ => None,
    };
    Ok(config)
}

/// `rope_scaling` is meant for all layers.
const ROTARY: Layered = Layered {
    whole: ("global_rope_theta", 160_000.0),
    local: ("local_rope_theta", 10_000.0),
    scales_both: true,
    strict: true,
};

/// Each layer's window and rotary positions; the first has no norm before its attention.
fn attend(raw: &RawConfig, head_dim: usize, stack: &mut StackConfig) -> Result<()> {
    // Of version 4; from version 5 on `layer_types` says it, and this has no other default.
    let every = raw.size_opt("global_attn_every_n_layers")?.unwrap_or(3);
    let sliding = sliding(raw, stack.layers, |layer| !layer.is_multiple_of(every))?;
    // The tokens on either side: half of `local_attention`, which `sliding_window` stands for.
    let reach = match raw.size_opt("sliding_window")? {
        Some(reach) => reach,
        None => raw.size("local_attention")? / 2,
    };
    let [whole, local] = layered(raw, head_dim, ROTARY)?;
    for (layer, (block, sliding)) in stack.blocks.iter_mut().zip(sliding).enumerate() {
        block.attention.window = sliding.then_some(reach + 1);
        block.attention.rotary = Some(if sliding { &local } else { &whole }.clone());
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
