//! Gemma 2: "Improving Open Language Models at a Practical Size" (arXiv:2408.00118).
//!
//! Gemma with norms before and after each sublayer, capped scores and logits, and a sliding
//! window in every second layer.

use serde_json::{Map, Value, json};

use super::gpt2::{LM_HEAD, SCORE};
use super::heads::decoder;
use super::{Class, Family, Preset, Ties, gemma, llama};
use crate::blocks::block::NormPosition;
use crate::checkpoint::rule::{Rule, linear, same};
use crate::config::RawConfig;
use crate::error::Result;
use crate::network::NetworkConfig;
use crate::rope::{Rotating, usual};
use crate::task::Task;

/// The family.
pub const FAMILY: Family = Family {
    name: "gemma2",
    model_type: "gemma2",
    paper: "arXiv:2408.00118",
    classes: &[
        Class::with_head("Gemma2ForCausalLM", Task::TextGeneration, LM_HEAD),
        Class::bare("Gemma2Model", Task::FeatureExtraction),
        Class::with_head(
            "Gemma2ForSequenceClassification",
            Task::TextClassification,
            SCORE,
        ),
        Class::with_head(
            "Gemma2ForTokenClassification",
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
    let window = raw.size_opt("sliding_window")?;
    llama::slide_some(&mut config, raw, window, |layer| layer.is_multiple_of(2))?;
    head(&mut config, raw, task)?;
    Ok(config)
}

/// The decoder without a head and windows, as the third generation has it too.
pub(super) fn network(raw: &RawConfig, rotating: Rotating) -> Result<NetworkConfig> {
    let mut config = gemma::network(raw, rotating)?;
    let scalar = raw.positive("query_pre_attn_scalar")?;
    let softcap = raw.positive_opt("attn_logit_softcapping")?;
    for block in llama::blocks(&mut config) {
        block.norm_position = NormPosition::Sandwich;
        block.attention.scale = Some(1.0 / scalar.sqrt());
        block.attention.softcap = softcap;
    }
    Ok(config)
}

/// The head, its logits capped.
pub(super) fn head(config: &mut NetworkConfig, raw: &RawConfig, task: Task) -> Result<()> {
    decoder(config, raw, task, raw.flag("tie_word_embeddings")?)?;
    if task == Task::TextGeneration
        && let Some(head) = &mut config.head
    {
        head.softcap = raw.positive_opt("final_logit_softcapping")?;
    }
    Ok(())
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
    same(&["layers.{i}.attention_out_norm"], "layers.{i}.post_attention_layernorm"),
    same(&["layers.{i}.feed_forward_norm"], "layers.{i}.pre_feedforward_layernorm"),
    linear(&["layers.{i}.feed_forward.gate"], "layers.{i}.mlp.gate_proj"),
    linear(&["layers.{i}.feed_forward.up"], "layers.{i}.mlp.up_proj"),
    linear(&["layers.{i}.feed_forward.down"], "layers.{i}.mlp.down_proj"),
    same(&["layers.{i}.feed_forward_out_norm"], "layers.{i}.post_feedforward_layernorm"),
    same(&["final_norm"], "norm"),
];

fn preset(preset: Preset) -> Map<String, Value> {
    llama::kin(
        preset,
        json!({
            "architectures": ["Gemma2ForCausalLM"],
            "model_type": "gemma2",
            "attn_logit_softcapping": 50.0,
            "final_logit_softcapping": 30.0,
            "head_dim": 32,
            "hidden_activation": "gelu_pytorch_tanh",
            "query_pre_attn_scalar": 32,
            "sliding_window": 64,
            "tie_word_embeddings": true,
        }),
    )
}
