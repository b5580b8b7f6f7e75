//! DistilBERT: "a distilled version of BERT: smaller, faster, cheaper and lighter"
//! (arXiv:1910.01108).
//!
//! BERT without token types and pooler, and with names of its own.

use serde_json::{Map, Value, json};

use super::bert::{ANSWER, PER_TOKEN};
use super::heads::{dense, fill_mask, outputs, per_token};
use super::{Class, Family, Preset, Ties, activation, head_dim, object};
use crate::blocks::activation::Activation;
use crate::blocks::attention::AttentionConfig;
use crate::blocks::block::{BlockConfig, NormPosition};
use crate::blocks::embedding::EmbeddingConfig;
use crate::blocks::feed_forward::FeedForwardConfig;
use crate::blocks::norm::NormConfig;
use crate::blocks::position::PositionConfig;
use crate::checkpoint::rule::{Rule, linear, same, tensor};
use crate::config::RawConfig;
use crate::error::Result;
use crate::head::{HeadConfig, Pooling};
use crate::network::NetworkConfig;
use crate::stack::{InputConfig, StackConfig};
use crate::task::Task;

/// The family.
pub const FAMILY: Family = Family {
    name: "distilbert",
    model_type: "distilbert",
    paper: "arXiv:1910.01108",
    classes: &[
        Class::with_head("DistilBertForMaskedLM", Task::FillMask, FILL_MASK),
        Class::bare("DistilBertModel", Task::FeatureExtraction),
        Class::with_head(
            "DistilBertForSequenceClassification",
            Task::TextClassification,
            CLASSIFY,
        ),
        Class::with_head(
            "DistilBertForTokenClassification",
            Task::TokenClassification,
            PER_TOKEN,
        ),
        Class::with_head(
            "DistilBertForQuestionAnswering",
            Task::QuestionAnswering,
            ANSWER,
        ),
    ],
    prefix: "distilbert.",
    read,
    tensors: TENSORS,
    ties: Ties::PLAIN,
    preset,
};

fn read(raw: &RawConfig, task: Task) -> Result<NetworkConfig> {
    let d_model = raw.size("dim")?;
    let heads = raw.size("n_heads")?;
    let norm = NormConfig::layer(1e-12);
    let act = activation(raw, "activation")?;
    let block = BlockConfig::new(
        NormPosition::Post,
        norm,
        AttentionConfig::new(heads, head_dim(d_model, heads)?),
        FeedForwardConfig::plain(raw.size("hidden_dim")?, act),
    );
    let embedding = EmbeddingConfig {
        position: Some(PositionConfig::Learned {
            rows: raw.size("max_position_embeddings")?,
            offset: 0,
        }),
        norm: Some(norm),
        ..EmbeddingConfig::tokens(raw.size("vocab_size")?)
    };
    let layers = raw.layers("n_layers")?;
    let input = InputConfig::Tokens(embedding);
    let mut config = NetworkConfig {
        encoder: Some(StackConfig::uniform(d_model, layers, block, input)),
        ..NetworkConfig::empty(raw.positive("initializer_range")?)
    };
    match task {
        Task::FillMask => config.head = Some(fill_mask(d_model, act, norm)),
        Task::TextClassification => {
            let head = HeadConfig::of(Pooling::First, outputs(raw.labels()?));
            config.head = Some(head.behind(dense(d_model, Activation::Relu)));
        }
        _ => per_token(&mut config, raw, task)?,
    }
    Ok(config)
}

#[rustfmt::skip]
const TENSORS: &[Rule] = &[
    same(&["embedding.token"], "embeddings.word_embeddings"),
    same(&["embedding.position.table"], "embeddings.position_embeddings"),
    same(&["embedding.norm"], "embeddings.LayerNorm"),
    linear(&["layers.{i}.attention.query"], "transformer.layer.{i}.attention.q_lin"),
    linear(&["layers.{i}.attention.key"], "transformer.layer.{i}.attention.k_lin"),
    linear(&["layers.{i}.attention.value"], "transformer.layer.{i}.attention.v_lin"),
    linear(&["layers.{i}.attention.output"], "transformer.layer.{i}.attention.out_lin"),
    same(&["layers.{i}.attention_norm"], "transformer.layer.{i}.sa_layer_norm"),
    linear(&["layers.{i}.feed_forward.up"], "transformer.layer.{i}.ffn.lin1"),
    linear(&["layers.{i}.feed_forward.down"], "transformer.layer.{i}.ffn.lin2"),
    same(&["layers.{i}.feed_forward_norm"], "transformer.layer.{i}.output_layer_norm"),
];
const FILL_MASK: &[Rule] = &[
    linear(&["head.dense"], "vocab_transform"),
    same(&["head.norm"], "vocab_layer_norm"),
    tensor(&["head.bias"], "vocab_projector.bias"),
    linear(&["head.output"], "vocab_projector"),
];
const CLASSIFY: &[Rule] = &[
    linear(&["head.dense"], "pre_classifier"),
    linear(&["head.output"], "classifier"),
];

fn preset(preset: Preset) -> Map<String, Value> {
    let (dim, layers, heads, positions, vocab) = match preset {
        Preset::Tiny => (128, 4, 4, 128, 256),
        Preset::Small => (384, 6, 12, 512, 30522),
        Preset::Base => (768, 6, 12, 512, 30522),
    };
    object(json!({
        "architectures": ["DistilBertForMaskedLM"],
        "model_type": "distilbert",
        "activation": "gelu",
        "dim": dim,
        "hidden_dim": 4 * dim,
        "initializer_range": 0.02,
        "max_position_embeddings": positions,
        "n_heads": heads,
        "n_layers": layers,
        "pad_token_id": 0,
        "vocab_size": vocab,
    }))
}
