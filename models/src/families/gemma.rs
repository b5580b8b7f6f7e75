//! Gemma: "Open Models Based on Gemini Research and Technology" (arXiv:2403.08295).
//!
//! Llama with a scaled embedding that is its head too, and norms that multiply by 1 + γ.

use serde_json::{Map, Value, json};

use super::gpt2::{LM_HEAD, SCORE};
use super::heads::decoder;
use super::llama::{self, TENSORS};
use super::{Class, Family, Preset, Ties, only};
use crate::blocks::activation::Activation;
use crate::blocks::attention::ProjectionBias;
use crate::blocks::norm::NormKind;
use crate::config::RawConfig;
use crate::error::Result;
use crate::network::NetworkConfig;
use crate::rope::{Rotating, usual};
use crate::stack::InputConfig;
use crate::task::Task;

/// The family.
pub const FAMILY: Family = Family {
    name: "gemma",
    model_type: "gemma",
    paper: "arXiv:2403.08295",
    classes: &[
        Class::with_head("GemmaForCausalLM", Task::TextGeneration, LM_HEAD),
        Class::bare("GemmaModel", Task::FeatureExtraction),
        Class::with_head(
            "GemmaForSequenceClassification",
            Task::TextClassification,
            SCORE,
        ),
        Class::with_head(
            "GemmaForTokenClassification",
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
    // As the first release has it; it has always meant the approximation.
    if raw.word("hidden_act")? == "gelu" {
        for block in llama::blocks(&mut config) {
            block.feed_forward.activation = Activation::GeluTanh;
        }
    }
    decoder(&mut config, raw, task, raw.flag("tie_word_embeddings")?)?;
    Ok(config)
}

/// The decoder without a head, as the later generations have it too.
pub(super) fn network(raw: &RawConfig, rotating: Rotating) -> Result<NetworkConfig> {
    only(raw, "use_bidirectional_attention", false)?;
    let mut config = llama::network(raw, rotating)?;
    let bias = ProjectionBias::all(raw.flag("attention_bias")?);
    let Some(stack) = &mut config.decoder else {
        return Ok(config);
    };
    if let Some(norm) = &mut stack.final_norm {
        norm.kind = NormKind::RmsPlusOne;
    }
    for block in &mut stack.blocks {
        block.norm.kind = NormKind::RmsPlusOne;
        block.attention.bias = bias;
    }
    if let InputConfig::Tokens(tokens) = &mut stack.input {
        tokens.scale = Some((stack.d_model as f64).sqrt());
    }
    Ok(config)
}

fn preset(preset: Preset) -> Map<String, Value> {
    llama::kin(
        preset,
        json!({
            "architectures": ["GemmaForCausalLM"],
            "model_type": "gemma",
            "head_dim": 32,
            "hidden_act": "gelu_pytorch_tanh",
            "tie_word_embeddings": true,
        }),
    )
}
