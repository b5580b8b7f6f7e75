//! ALBERT: "A Lite BERT for Self-supervised Learning of Language Representations"
//! (arXiv:1909.11942).
//!
//! BERT with narrow tables, whose layers share their weights.

use serde_json::{Map, Value, json};

use super::bert::{self, ANSWER, PER_TOKEN};
use super::heads::{dense, fill_mask, outputs, per_token, pooler};
use super::{Class, Family, Preset, Ties, activation, merged};
use crate::blocks::activation::Activation;
use crate::checkpoint::rule::{Rule, linear, same, tensor};
use crate::config::RawConfig;
use crate::error::{Error, Result};
use crate::head::{HeadConfig, Pooling};
use crate::network::NetworkConfig;
use crate::stack::InputConfig;
use crate::task::Task;

/// The family.
pub const FAMILY: Family = Family {
    name: "albert",
    model_type: "albert",
    paper: "arXiv:1909.11942",
    classes: &[
        Class::with_head("AlbertForMaskedLM", Task::FillMask, FILL_MASK)
            .also(&["AlbertForPreTraining"]),
        Class::bare("AlbertModel", Task::FeatureExtraction),
        Class::with_head(
            "AlbertForSequenceClassification",
            Task::TextClassification,
            CLASSIFY,
        ),
        Class::with_head(
            "AlbertForTokenClassification",
            Task::TokenClassification,
            PER_TOKEN,
        ),
        Class::with_head(
            "AlbertForQuestionAnswering",
            Task::QuestionAnswering,
            ANSWER,
        ),
    ],
    prefix: "albert.",
    read,
    tensors: TENSORS,
    ties: Ties::PLAIN,
    preset,
};

fn read(raw: &RawConfig, task: Task) -> Result<NetworkConfig> {
    if raw.size("inner_group_num")? != 1 {
        return Err(Error::Config(
            "an `inner_group_num` over 1 is not supported".into(),
        ));
    }
    let mut config = bert::network(raw)?;
    let (d_model, norm) = (config.main().d_model, config.main().block().norm);
    let act = activation(raw, "hidden_act")?;
    let width = raw.size("embedding_size")?;
    let groups = raw.size("num_hidden_groups")?;
    if let Some(stack) = &mut config.encoder {
        if groups > stack.layers || !stack.layers.is_multiple_of(groups) {
            return Err(Error::Config(format!(
                "{} layers cannot share {groups} groups evenly",
                stack.layers
            )));
        }
        stack.blocks.truncate(groups);
        for block in &mut stack.blocks {
            block.feed_forward.activation = act;
        }
        if let InputConfig::Tokens(tokens) = &mut stack.input {
            tokens.width = Some(width);
        }
    }
    match task {
        Task::FeatureExtraction => config.pooler = Some(pooler(d_model, Activation::Tanh)),
        Task::FillMask => config.head = Some(fill_mask(width, act, norm)),
        Task::TextClassification => {
            let head = HeadConfig::of(Pooling::First, outputs(raw.labels()?));
            config.head = Some(head.behind(dense(d_model, Activation::Tanh)));
        }
        _ => per_token(&mut config, raw, task)?,
    }
    Ok(config)
}

#[rustfmt::skip]
const TENSORS: &[Rule] = &[
    same(&["embedding.token"], "embeddings.word_embeddings"),
    same(&["embedding.position.table"], "embeddings.position_embeddings"),
    same(&["embedding.token_type"], "embeddings.token_type_embeddings"),
    same(&["embedding.norm"], "embeddings.LayerNorm"),
    linear(&["embedding.project"], "encoder.embedding_hidden_mapping_in"),
    linear(&["layers.{i}.attention.query"], "encoder.albert_layer_groups.{i}.albert_layers.0.attention.query"),
    linear(&["layers.{i}.attention.key"], "encoder.albert_layer_groups.{i}.albert_layers.0.attention.key"),
    linear(&["layers.{i}.attention.value"], "encoder.albert_layer_groups.{i}.albert_layers.0.attention.value"),
    linear(&["layers.{i}.attention.output"], "encoder.albert_layer_groups.{i}.albert_layers.0.attention.dense"),
    same(&["layers.{i}.attention_norm"], "encoder.albert_layer_groups.{i}.albert_layers.0.attention.LayerNorm"),
    linear(&["layers.{i}.feed_forward.up"], "encoder.albert_layer_groups.{i}.albert_layers.0.ffn"),
    linear(&["layers.{i}.feed_forward.down"], "encoder.albert_layer_groups.{i}.albert_layers.0.ffn_output"),
    same(&["layers.{i}.feed_forward_norm"], "encoder.albert_layer_groups.{i}.albert_layers.0.full_layer_layer_norm"),
    linear(&["pooler.dense"], "pooler"),
];
const FILL_MASK: &[Rule] = &[
    linear(&["head.dense"], "predictions.dense"),
    same(&["head.norm"], "predictions.LayerNorm"),
    tensor(&["head.bias"], "predictions.bias"),
    linear(&["head.output"], "predictions.decoder"),
];
const CLASSIFY: &[Rule] = &[
    linear(&["head.dense"], "albert.pooler"),
    linear(&["head.output"], "classifier"),
];

fn preset(preset: Preset) -> Map<String, Value> {
    let map = (bert::FAMILY.preset)(preset);
    let (width, vocab) = match preset {
        Preset::Tiny => (64, 256),
        _ => (128, 30000),
    };
    let own = json!({
        "architectures": ["AlbertForMaskedLM"],
        "model_type": "albert",
        "embedding_size": width,
        "hidden_act": "gelu_new",
        "inner_group_num": 1,
        "num_hidden_groups": 1,
        "vocab_size": vocab,
    });
    merged(map, own)
}
