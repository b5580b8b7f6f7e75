//! RoBERTa: "A Robustly Optimized BERT Pretraining Approach" (arXiv:1907.11692).
//!
//! BERT whose positions are counted from behind the number that stands for padding.

use serde_json::{Map, Value, json};

use super::bert::{self, ANSWER, PER_TOKEN};
use super::heads::{dense, fill_mask, outputs, per_token, pooler};
use super::{Class, Family, Preset, Ties, merged};
use crate::blocks::activation::Activation;
use crate::blocks::embedding::Counting;
use crate::blocks::position::PositionConfig;
use crate::checkpoint::rule::{Rule, linear, same, tensor};
use crate::config::RawConfig;
use crate::error::Result;
use crate::head::{HeadConfig, Pooling};
use crate::network::NetworkConfig;
use crate::stack::InputConfig;
use crate::task::Task;

/// The family.
pub const FAMILY: Family = Family {
    name: "roberta",
    model_type: "roberta",
    paper: "arXiv:1907.11692",
    classes: &[
        Class::with_head("RobertaForMaskedLM", Task::FillMask, FILL_MASK),
        Class::bare("RobertaModel", Task::FeatureExtraction),
        Class::with_head(
            "RobertaForSequenceClassification",
            Task::TextClassification,
            CLASSIFY,
        ),
        Class::with_head(
            "RobertaForTokenClassification",
            Task::TokenClassification,
            PER_TOKEN,
        ),
        Class::with_head(
            "RobertaForQuestionAnswering",
            Task::QuestionAnswering,
            ANSWER,
        ),
    ],
    prefix: "roberta.",
    read,
    tensors: bert::TENSORS,
    ties: Ties::PLAIN,
    preset,
};

fn read(raw: &RawConfig, task: Task) -> Result<NetworkConfig> {
    let mut config = bert::network(raw)?;
    let padding = raw.count("pad_token_id")?;
    if let Some(stack) = &mut config.encoder
        && let InputConfig::Tokens(tokens) = &mut stack.input
    {
        let rows = raw.size("max_position_embeddings")?;
        let position = PositionConfig::Learned {
            rows,
            offset: padding + 1,
        };
        stack.max_positions = position.positions();
        tokens.position = Some(position);
        tokens.counting = Counting::But(padding);
    }
    let (d_model, norm) = (config.main().d_model, config.main().block().norm);
    match task {
        Task::FeatureExtraction => config.pooler = Some(pooler(d_model, Activation::Tanh)),
        Task::FillMask => config.head = Some(fill_mask(d_model, Activation::Gelu, norm)),
        Task::TextClassification => {
            let head = HeadConfig::of(Pooling::First, outputs(raw.labels()?));
            config.head = Some(head.behind(dense(d_model, Activation::Tanh)));
        }
        _ => per_token(&mut config, raw, task)?,
    }
    Ok(config)
}

const FILL_MASK: &[Rule] = &[
    linear(&["head.dense"], "lm_head.dense"),
    same(&["head.norm"], "lm_head.layer_norm"),
    tensor(&["head.bias"], "lm_head.bias"),
    linear(&["head.output"], "lm_head.decoder"),
];
const CLASSIFY: &[Rule] = &[
    linear(&["head.dense"], "classifier.dense"),
    linear(&["head.output"], "classifier.out_proj"),
];

fn preset(preset: Preset) -> Map<String, Value> {
    let map = (bert::FAMILY.preset)(preset);
    let positions = map["max_position_embeddings"].as_u64().unwrap_or_default() + 2;
    let vocab = match preset {
        Preset::Tiny => 256,
        _ => 50265,
    };
    let own = json!({
        "architectures": ["RobertaForMaskedLM"],
        "model_type": "roberta",
        "layer_norm_eps": 1e-5,
        "max_position_embeddings": positions,
        "pad_token_id": 1,
        "type_vocab_size": 1,
        "vocab_size": vocab,
    });
    merged(map, own)
}
