//! ELECTRA: "Pre-training Text Encoders as Discriminators Rather Than Generators"
//! (arXiv:2003.10555).
//!
//! BERT with narrower tables and no pooler.

use serde_json::{Map, Value, json};

use super::bert::{self, ANSWER, PER_TOKEN};
use super::heads::{dense, fill_mask, outputs, per_token};
use super::{Class, Family, Preset, Ties, activation, merged};
use crate::blocks::activation::Activation;
use crate::checkpoint::rule::{Rule, linear, same, tensor};
use crate::config::RawConfig;
use crate::error::Result;
use crate::head::{HeadConfig, Pooling};
use crate::network::{Answer, NetworkConfig};
use crate::stack::InputConfig;
use crate::task::Task;

/// The family.
pub const FAMILY: Family = Family {
    name: "electra",
    model_type: "electra",
    paper: "arXiv:2003.10555",
    classes: &[
        Class::with_head("ElectraForMaskedLM", Task::FillMask, FILL_MASK),
        Class::bare("ElectraModel", Task::FeatureExtraction),
        Class::with_head(
            "ElectraForSequenceClassification",
            Task::TextClassification,
            CLASSIFY,
        ),
        Class::with_head(
            "ElectraForTokenClassification",
            Task::TokenClassification,
            PER_TOKEN,
        ),
        Class::with_head(DISCRIMINATOR, Task::TokenClassification, DISCRIMINATE),
        Class::with_head(
            "ElectraForQuestionAnswering",
            Task::QuestionAnswering,
            ANSWER,
        ),
    ],
    prefix: "electra.",
    read,
    tensors: bert::TENSORS,
    ties: Ties::PLAIN,
    preset,
};

/// The class that tells of each token whether a generator put it there.
const DISCRIMINATOR: &str = "ElectraForPreTraining";

fn read(raw: &RawConfig, task: Task) -> Result<NetworkConfig> {
    let mut config = bert::network(raw)?;
    let (d_model, norm) = (config.main().d_model, config.main().block().norm);
    let width = raw.size("embedding_size")?;
    if let Some(stack) = &mut config.encoder
        && let InputConfig::Tokens(tokens) = &mut stack.input
    {
        tokens.width = (width != d_model).then_some(width);
    }
    match task {
        // Its generator has GELU here, whatever the encoder has.
        Task::FillMask => config.head = Some(fill_mask(width, Activation::Gelu, norm)),
        Task::TextClassification => {
            // `summary_activation` is for multiple choice.
            let head = HeadConfig::of(Pooling::First, outputs(raw.labels()?));
            config.head = Some(head.behind(dense(d_model, Activation::Gelu)));
        }
        Task::TokenClassification if raw.architecture() == Some(DISCRIMINATOR) => {
            let act = activation(raw, "hidden_act")?;
            config.head = Some(HeadConfig::every(outputs(1)).behind(dense(d_model, act)));
            config.answer = Answer::Scores;
        }
        _ => per_token(&mut config, raw, task)?,
    }
    Ok(config)
}

const FILL_MASK: &[Rule] = &[
    linear(&["head.dense"], "generator_predictions.dense"),
    same(&["head.norm"], "generator_predictions.LayerNorm"),
    tensor(&["head.bias"], "generator_lm_head.bias"),
    linear(&["head.output"], "generator_lm_head"),
];
const DISCRIMINATE: &[Rule] = &[
    linear(&["head.dense"], "discriminator_predictions.dense"),
    linear(
        &["head.output"],
        "discriminator_predictions.dense_prediction",
    ),
];
const CLASSIFY: &[Rule] = &[
    linear(&["head.dense"], "classifier.dense"),
    linear(&["head.output"], "classifier.out_proj"),
];

fn preset(preset: Preset) -> Map<String, Value> {
    let map = (bert::FAMILY.preset)(preset);
    let width = match preset {
        Preset::Tiny => 64,
        Preset::Small => 128,
        Preset::Base => 768,
    };
    let own = json!({
        "architectures": ["ElectraForMaskedLM"],
        "model_type": "electra",
        "embedding_size": width,
    });
    merged(map, own)
}
