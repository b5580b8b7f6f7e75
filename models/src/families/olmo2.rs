//! OLMo 2: "2 OLMo 2 Furious" (arXiv:2501.00656).
//!
//! Llama with its norms after the sublayers, and queries and keys normalised as a whole.

use serde_json::{Map, Value, json};

use super::gpt2::{LM_HEAD, SCORE};
use super::heads::decoder;
use super::llama;
use super::{Class, Family, Preset, Ties};
use crate::blocks::attention::{ProjectionBias, QueryKeyNorm};
use crate::blocks::block::NormPosition;
use crate::checkpoint::rule::{Rule, linear, same};
use crate::config::RawConfig;
use crate::error::Result;
use crate::network::NetworkConfig;
use crate::rope::usual;
use crate::task::Task;

/// The family.
pub const FAMILY: Family = Family {
    name: "olmo2",
    model_type: "olmo2",
    paper: "arXiv:2501.00656",
    classes: &[
        Class::with_head("Olmo2ForCausalLM", Task::TextGeneration, LM_HEAD),
        Class::bare("Olmo2Model", Task::FeatureExtraction),
        Class::with_head(
            "Olmo2ForSequenceClassification",
            Task::TextClassification,
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
    let mut config = llama::network(raw, usual)?;
    let bias = raw.flag("attention_bias")?;
    for block in llama::blocks(&mut config) {
        block.norm_position = NormPosition::BranchPost;
        block.attention.bias = ProjectionBias::all(bias);
        block.attention.query_key_norm = Some(QueryKeyNorm {
            norm: block.norm,
            per_head: false,
        });
    }
    decoder(&mut config, raw, task, raw.flag("tie_word_embeddings")?)?;
    Ok(config)
}

#[rustfmt::skip]
const TENSORS: &[Rule] = &[
    same(&["embedding.token"], "embed_tokens"),
    linear(&["layers.{i}.attention.query"], "layers.{i}.self_attn.q_proj"),
    linear(&["layers.{i}.attention.key"], "layers.{i}.self_attn.k_proj"),
    linear(&["layers.{i}.attention.value"], "layers.{i}.self_attn.v_proj"),
    linear(&["layers.{i}.attention.output"], "layers.{i}.self_attn.o_proj"),
    same(&["layers.{i}.attention.query_norm"], "layers.{i}.self_attn.q_norm"),
    same(&["layers.{i}.attention.key_norm"], "layers.{i}.self_attn.k_norm"),
    same(&["layers.{i}.attention_out_norm"], "layers.{i}.post_attention_layernorm"),
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
            "architectures": ["Olmo2ForCausalLM"],
            "model_type": "olmo2",
            "attention_bias": false,
            "rms_norm_eps": 1e-5,
        }),
    )
}
