//! BERT: "Pre-training of Deep Bidirectional Transformers for Language Understanding"
//! (arXiv:1810.04805).
//!
//! Post-norm, learned positions, token types, a pooler over the first position.

use serde_json::{Map, Value, json};

use super::{Family, Preset, activation, head_dim, object, only};
use crate::blocks::attention::AttentionConfig;
use crate::blocks::block::{BlockConfig, NormPosition};
use crate::blocks::embedding::EmbeddingConfig;
use crate::blocks::feed_forward::FeedForwardConfig;
use crate::blocks::norm::{NormConfig, NormKind};
use crate::checkpoint::rule::{Rule, same, transposed};
use crate::config::Raw;
use crate::error::{Error, Result};
use crate::network::{Head, NetworkConfig};
use crate::task::Task;

/// The family.
pub const FAMILY: Family = Family {
    name: "bert",
    paper: "arXiv:1810.04805",
    architectures: &[("BertModel", Task::FeatureExtraction)],
    prefix: "bert.",
    read,
    tensors: TENSORS,
    preset,
};

fn read(raw: &Raw, _task: Task) -> Result<NetworkConfig> {
    only(raw, "is_decoder", false)?;
    only(raw, "add_cross_attention", false)?;
    if let Some(kind) = raw.text("position_embedding_type")?
        && kind != "absolute"
    {
        return Err(Error::Config(format!(
            "`position_embedding_type` is `{kind}`, which is not supported; only `absolute` is"
        )));
    }
    let d_model = raw.size("hidden_size")?;
    let heads = raw.size("num_attention_heads")?;
    let vocab_size = raw.size("vocab_size")?;
    let max_positions = raw.size("max_position_embeddings")?;
    let norm = NormConfig {
        kind: NormKind::Layer,
        epsilon: raw.positive_or("layer_norm_eps", 1e-12)?,
    };
    Ok(NetworkConfig {
        vocab_size,
        d_model,
        layers: raw.size("num_hidden_layers")?,
        max_positions,
        embedding: EmbeddingConfig {
            vocab_size,
            positions: max_positions,
            token_types: raw.size_opt("type_vocab_size")?.unwrap_or(2),
            norm: Some(norm),
        },
        block: BlockConfig {
            norm_position: NormPosition::Post,
            norm,
            attention: AttentionConfig {
                heads,
                kv_heads: heads,
                head_dim: head_dim(d_model, heads)?,
                qkv_bias: true,
                output_bias: true,
                scale: None,
                causal: false,
                rotary: None,
            },
            feed_forward: FeedForwardConfig {
                d_ff: raw.size("intermediate_size")?,
                gated: false,
                activation: activation(raw, "hidden_act", "gelu")?,
                bias: true,
            },
        },
        final_norm: None,
        pooler: true,
        head: Head::None,
        initializer_range: raw.positive_or("initializer_range", 0.02)?,
    })
}

const TENSORS: &[Rule] = &[
    same(
        "embedding.token.weight",
        "embeddings.word_embeddings.weight",
    ),
    same(
        "embedding.position.weight",
        "embeddings.position_embeddings.weight",
    ),
    same(
        "embedding.token_type.weight",
        "embeddings.token_type_embeddings.weight",
    ),
    same("embedding.norm.weight", "embeddings.LayerNorm.weight"),
    same("embedding.norm.bias", "embeddings.LayerNorm.bias"),
    transposed(
        "layers.{i}.attention.query.weight",
        "encoder.layer.{i}.attention.self.query.weight",
    ),
    same(
        "layers.{i}.attention.query.bias",
        "encoder.layer.{i}.attention.self.query.bias",
    ),
    transposed(
        "layers.{i}.attention.key.weight",
        "encoder.layer.{i}.attention.self.key.weight",
    ),
    same(
        "layers.{i}.attention.key.bias",
        "encoder.layer.{i}.attention.self.key.bias",
    ),
    transposed(
        "layers.{i}.attention.value.weight",
        "encoder.layer.{i}.attention.self.value.weight",
    ),
    same(
        "layers.{i}.attention.value.bias",
        "encoder.layer.{i}.attention.self.value.bias",
    ),
    transposed(
        "layers.{i}.attention.output.weight",
        "encoder.layer.{i}.attention.output.dense.weight",
    ),
    same(
        "layers.{i}.attention.output.bias",
        "encoder.layer.{i}.attention.output.dense.bias",
    ),
    same(
        "layers.{i}.attention_norm.weight",
        "encoder.layer.{i}.attention.output.LayerNorm.weight",
    ),
    same(
        "layers.{i}.attention_norm.bias",
        "encoder.layer.{i}.attention.output.LayerNorm.bias",
    ),
    transposed(
        "layers.{i}.feed_forward.up.weight",
        "encoder.layer.{i}.intermediate.dense.weight",
    ),
    same(
        "layers.{i}.feed_forward.up.bias",
        "encoder.layer.{i}.intermediate.dense.bias",
    ),
    transposed(
        "layers.{i}.feed_forward.down.weight",
        "encoder.layer.{i}.output.dense.weight",
    ),
    same(
        "layers.{i}.feed_forward.down.bias",
        "encoder.layer.{i}.output.dense.bias",
    ),
    same(
        "layers.{i}.feed_forward_norm.weight",
        "encoder.layer.{i}.output.LayerNorm.weight",
    ),
    same(
        "layers.{i}.feed_forward_norm.bias",
        "encoder.layer.{i}.output.LayerNorm.bias",
    ),
    transposed("pooler.weight", "pooler.dense.weight"),
    same("pooler.bias", "pooler.dense.bias"),
];

fn preset(preset: Preset) -> Map<String, Value> {
    let (d_model, layers, heads, positions, vocab) = match preset {
        Preset::Tiny => (128, 4, 4, 128, 256),
        Preset::Small => (384, 6, 12, 512, 30522),
        Preset::Base => (768, 12, 12, 512, 30522),
    };
    object(json!({
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_act": "gelu",
        "hidden_size": d_model,
        "initializer_range": 0.02,
        "intermediate_size": 4 * d_model,
        "layer_norm_eps": 1e-12,
        "max_position_embeddings": positions,
        "num_attention_heads": heads,
        "num_hidden_layers": layers,
        "type_vocab_size": 2,
        "vocab_size": vocab,
    }))
}
