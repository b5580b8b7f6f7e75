//! BERT: "Pre-training of Deep Bidirectional Transformers for Language Understanding"
//! (arXiv:1810.04805).
//!
//! Post-norm, learned positions, token types, a pooler over the first position.

use serde_json::{Map, Value, json};

use super::heads::{dense, fill_mask, outputs, per_token, pooler};
use super::{Class, Family, Preset, Ties, activation, head_dim, object, only};
use crate::blocks::activation::Activation;
use crate::blocks::attention::AttentionConfig;
use crate::blocks::block::{BlockConfig, NormPosition};
use crate::blocks::embedding::EmbeddingConfig;
use crate::blocks::feed_forward::FeedForwardConfig;
use crate::blocks::norm::NormConfig;
use crate::blocks::position::PositionConfig;
use crate::checkpoint::rule::{Rule, linear, same, tensor};
use crate::config::RawConfig;
use crate::error::{Error, Result};
use crate::head::{HeadConfig, Pooling};
use crate::network::NetworkConfig;
use crate::stack::{InputConfig, StackConfig};
use crate::task::Task;

/// The family.
pub const FAMILY: Family = Family {
    name: "bert",
    model_type: "bert",
    paper: "arXiv:1810.04805",
    classes: &[
        Class::with_head("BertForMaskedLM", Task::FillMask, FILL_MASK)
            .also(&["BertForPreTraining"]),
        Class::bare("BertModel", Task::FeatureExtraction),
        Class::with_head(
            "BertForSequenceClassification",
            Task::TextClassification,
            CLASSIFY,
        ),
        Class::with_head(
            "BertForTokenClassification",
            Task::TokenClassification,
            PER_TOKEN,
        ),
        Class::with_head("BertForQuestionAnswering", Task::QuestionAnswering, ANSWER),
    ],
    prefix: "bert.",
    read,
    tensors: TENSORS,
    ties: Ties::PLAIN,
    preset,
};

fn read(raw: &RawConfig, task: Task) -> Result<NetworkConfig> {
    let mut config = network(raw)?;
    let (d_model, norm) = (config.main().d_model, config.main().block().norm);
    match task {
        Task::FeatureExtraction => config.pooler = Some(pooler(d_model, Activation::Tanh)),
        Task::FillMask => {
            let act = activation(raw, "hidden_act")?;
            config.head = Some(fill_mask(d_model, act, norm));
        }
        Task::TextClassification => {
            let head = HeadConfig::of(Pooling::First, outputs(raw.labels()?));
            config.head = Some(head.behind(dense(d_model, Activation::Tanh)));
        }
        _ => per_token(&mut config, raw, task)?,
    }
    Ok(config)
}

/// The encoder without a head, as BERT's kin have it too.
pub(super) fn network(raw: &RawConfig) -> Result<NetworkConfig> {
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
    let norm = NormConfig::layer(raw.positive("layer_norm_eps")?);
    let block = BlockConfig::new(
        NormPosition::Post,
        norm,
        AttentionConfig::new(heads, head_dim(d_model, heads)?),
        FeedForwardConfig::plain(
            raw.size("intermediate_size")?,
            activation(raw, "hidden_act")?,
        ),
    );
    let embedding = EmbeddingConfig {
        position: Some(PositionConfig::Learned {
            rows: raw.size("max_position_embeddings")?,
            offset: 0,
        }),
        token_types: raw.count("type_vocab_size")?,
        norm: Some(norm),
        ..EmbeddingConfig::tokens(raw.size("vocab_size")?)
    };
    let layers = raw.layers("num_hidden_layers")?;
    let input = InputConfig::Tokens(embedding);
    Ok(NetworkConfig {
        encoder: Some(StackConfig::uniform(d_model, layers, block, input)),
        ..NetworkConfig::empty(raw.positive("initializer_range")?)
    })
}

#[rustfmt::skip]
pub(super) const TENSORS: &[Rule] = &[
    same(&["embedding.token"], "embeddings.word_embeddings"),
    same(&["embedding.position.table"], "embeddings.position_embeddings"),
    same(&["embedding.token_type"], "embeddings.token_type_embeddings"),
    same(&["embedding.norm"], "embeddings.LayerNorm"),
    linear(&["embedding.project"], "embeddings_project"),
    linear(&["layers.{i}.attention.query"], "encoder.layer.{i}.attention.self.query"),
    linear(&["layers.{i}.attention.key"], "encoder.layer.{i}.attention.self.key"),
    linear(&["layers.{i}.attention.value"], "encoder.layer.{i}.attention.self.value"),
    linear(&["layers.{i}.attention.output"], "encoder.layer.{i}.attention.output.dense"),
    same(&["layers.{i}.attention_norm"], "encoder.layer.{i}.attention.output.LayerNorm"),
    linear(&["layers.{i}.feed_forward.up"], "encoder.layer.{i}.intermediate.dense"),
    linear(&["layers.{i}.feed_forward.down"], "encoder.layer.{i}.output.dense"),
    same(&["layers.{i}.feed_forward_norm"], "encoder.layer.{i}.output.LayerNorm"),
    linear(&["pooler.dense"], "pooler.dense"),
];

#[rustfmt::skip]
const FILL_MASK: &[Rule] = &[
    linear(&["head.dense"], "cls.predictions.transform.dense"),
    same(&["head.norm"], "cls.predictions.transform.LayerNorm"),
    tensor(&["head.bias"], "cls.predictions.bias"),
    linear(&["head.output"], "cls.predictions.decoder"),
];
const CLASSIFY: &[Rule] = &[
    linear(&["head.dense"], "bert.pooler.dense"),
    linear(&["head.output"], "classifier"),
];
pub(super) const PER_TOKEN: &[Rule] = &[linear(&["head.output"], "classifier")];
pub(super) const ANSWER: &[Rule] = &[linear(&["head.output"], "qa_outputs")];

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
        "pad_token_id": 0,
        "type_vocab_size": 2,
        "vocab_size": vocab,
    }))
}
