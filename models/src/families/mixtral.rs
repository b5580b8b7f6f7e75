//! Mixtral: "Mixtral of Experts" (arXiv:2401.04088).
//!
//! Mistral with a mixture of experts in place of each feed-forward network.

use serde_json::{Map, Value, json};

use super::gpt2::{LM_HEAD, SCORE};
use super::heads::decoder;
use super::llama;
use super::{Class, Family, Preset, Ties};
use crate::blocks::experts::ExpertsConfig;
use crate::checkpoint::rule::{Rule, linear, same};
use crate::config::RawConfig;
use crate::error::{Error, Result};
use crate::network::NetworkConfig;
use crate::rope::{Defaults, rotary};
use crate::task::Task;

/// The family.
pub const FAMILY: Family = Family {
    name: "mixtral",
    model_type: "mixtral",
    paper: "arXiv:2401.04088",
    classes: &[
        Class::with_head("MixtralForCausalLM", Task::TextGeneration, LM_HEAD),
        Class::bare("MixtralModel", Task::FeatureExtraction),
        Class::with_head(
            "MixtralForSequenceClassification",
            Task::TextClassification,
            SCORE,
        ),
        Class::with_head(
            "MixtralForTokenClassification",
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

/// More experts than these are refused.
const EXPERTS: usize = 1024;

fn read(raw: &RawConfig, task: Task) -> Result<NetworkConfig> {
    let mut config = llama::network(raw, |raw, head_dim| {
        let defaults = Defaults {
            theta: 1_000_000.0,
            ..Defaults::default()
        };
        rotary(raw, head_dim, defaults)
    })?;
    let count = raw.size("num_local_experts")?;
    if count > EXPERTS {
        return Err(Error::Config(format!(
            "{count} experts are more than {EXPERTS}"
        )));
    }
    let active = raw.size("num_experts_per_tok")?;
    for block in llama::blocks(&mut config) {
        block.feed_forward.experts = Some(ExpertsConfig { count, active });
    }
    llama::slide(&mut config, raw)?;
    decoder(&mut config, raw, task, raw.flag("tie_word_embeddings")?)?;
    Ok(config)
}

#[rustfmt::skip]
const TENSORS: &[Rule] = &[
    same(&["embedding.token"], "embed_tokens"),
    same(&["layers.{i}.attention_norm"], "layers.{i}.input_layernorm"),
    linear(&["layers.{i}.attention.query"], "layers.{i}.self_attn.q_proj"),
    linear(&["layers.{i}.attention.key"], "layers.{i}.self_attn.k_proj"),
    linear(&["layers.{i}.attention.value"], "layers.{i}.self_attn.v_proj"),
    linear(&["layers.{i}.attention.output"], "layers.{i}.self_attn.o_proj"),
    same(&["layers.{i}.feed_forward_norm"], "layers.{i}.post_attention_layernorm"),
    linear(&["layers.{i}.experts.router"], "layers.{i}.block_sparse_moe.gate"),
    linear(&["layers.{i}.experts.experts.{e}.gate"], "layers.{i}.block_sparse_moe.experts.{e}.w1"),
    linear(&["layers.{i}.experts.experts.{e}.down"], "layers.{i}.block_sparse_moe.experts.{e}.w2"),
    linear(&["layers.{i}.experts.experts.{e}.up"], "layers.{i}.block_sparse_moe.experts.{e}.w3"),
    same(&["final_norm"], "norm"),
];

fn preset(preset: Preset) -> Map<String, Value> {
    llama::kin(
        preset,
        json!({
            "architectures": ["MixtralForCausalLM"],
            "model_type": "mixtral",
            "num_experts_per_tok": 2,
            "num_local_experts": 4,
            "rms_norm_eps": 1e-5,
            "rope_theta": 1000000.0,
            "sliding_window": null,
        }),
    )
}
