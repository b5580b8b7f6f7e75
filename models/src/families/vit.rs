//! ViT: "An Image is Worth 16x16 Words" (arXiv:2010.11929).
//!
//! A pre-norm encoder over patches of an image, read at a class token.

use serde_json::{Map, Value, json};

use super::heads::{outputs, pooler};
use super::{Class, Family, Preset, Ties, activation, object, own_head_dim};
use crate::blocks::attention::{AttentionConfig, ProjectionBias};
use crate::blocks::block::{BlockConfig, NormPosition};
use crate::blocks::feed_forward::FeedForwardConfig;
use crate::blocks::norm::NormConfig;
use crate::blocks::patches::PatchesConfig;
use crate::checkpoint::rule::{Rule, linear, same, tensor};
use crate::config::RawConfig;
use crate::error::Result;
use crate::head::{HeadConfig, Pooling};
use crate::network::NetworkConfig;
use crate::stack::{InputConfig, StackConfig};
use crate::task::Task;

/// The family.
pub const FAMILY: Family = Family {
    name: "vit",
    model_type: "vit",
    paper: "arXiv:2010.11929",
    classes: &[
        Class::with_head(
            "ViTForImageClassification",
            Task::ImageClassification,
            CLASSIFIER,
        ),
        Class::bare("ViTModel", Task::ImageFeatureExtraction),
    ],
    prefix: "vit.",
    read: |raw, task| network(raw, task, false),
    tensors: TENSORS,
    ties: Ties::PLAIN,
    preset: |preset| sizes(preset, "ViTForImageClassification", "vit"),
};

/// The encoder and its head; `distillation` puts a second token behind the class token.
pub(super) fn network(raw: &RawConfig, task: Task, distillation: bool) -> Result<NetworkConfig> {
    let d_model = raw.size("hidden_size")?;
    let heads = raw.size("num_attention_heads")?;
    let head_dim = own_head_dim(raw, d_model, heads)?;
    let norm = NormConfig::layer(raw.positive("layer_norm_eps")?);
    let act = activation(raw, "hidden_act")?;
    let block = BlockConfig::new(
        NormPosition::Pre,
        norm,
        AttentionConfig {
            bias: ProjectionBias::split(raw.flag("qkv_bias")?, true),
            ..AttentionConfig::new(heads, head_dim)
        },
        FeedForwardConfig::plain(raw.size("intermediate_size")?, act),
    );
    let input = InputConfig::Patches(PatchesConfig {
        image: raw.pair("image_size")?,
        patch: raw.pair("patch_size")?,
        channels: raw.size("num_channels")?,
        bias: true,
        distillation,
        interpolates: false,
        norm: None,
    });
    let layers = raw.layers("num_hidden_layers")?;
    let mut config = NetworkConfig {
        vision: Some(StackConfig {
            final_norm: Some(norm),
            hidden_states_end_normed: false,
            ..StackConfig::uniform(d_model, layers, block, input)
        }),
        ..NetworkConfig::empty(raw.positive("initializer_range")?)
    };
    if task == Task::ImageClassification {
        config.head = Some(HeadConfig::of(Pooling::First, outputs(raw.labels()?)));
    } else {
        let width = raw.size_opt("pooler_output_size")?.unwrap_or(d_model);
        config.pooler = Some(pooler(width, activation(raw, "pooler_act")?));
    }
    Ok(config)
}

#[rustfmt::skip]
pub(super) const TENSORS: &[Rule] = &[
    same(&["patches.projection"], "embeddings.patch_embeddings.projection"),
    tensor(&["patches.class_token"], "embeddings.cls_token"),
    tensor(&["patches.distillation_token"], "embeddings.distillation_token"),
    tensor(&["patches.position"], "embeddings.position_embeddings"),
    same(&["layers.{i}.attention_norm"], "encoder.layer.{i}.layernorm_before"),
    linear(&["layers.{i}.attention.query"], "encoder.layer.{i}.attention.attention.query"),
    linear(&["layers.{i}.attention.key"], "encoder.layer.{i}.attention.attention.key"),
    linear(&["layers.{i}.attention.value"], "encoder.layer.{i}.attention.attention.value"),
    linear(&["layers.{i}.attention.output"], "encoder.layer.{i}.attention.output.dense"),
    same(&["layers.{i}.feed_forward_norm"], "encoder.layer.{i}.layernorm_after"),
    linear(&["layers.{i}.feed_forward.up"], "encoder.layer.{i}.intermediate.dense"),
    linear(&["layers.{i}.feed_forward.down"], "encoder.layer.{i}.output.dense"),
    same(&["final_norm"], "layernorm"),
    linear(&["pooler.dense"], "pooler.dense"),
];
pub(super) const CLASSIFIER: &[Rule] = &[linear(&["head.output"], "classifier")];

/// The `config.json` of a new model.
pub(super) fn sizes(preset: Preset, class: &str, model_type: &str) -> Map<String, Value> {
    let (d_model, layers, heads, image, patch) = match preset {
        Preset::Tiny => (128, 4, 4, 32, 8),
        Preset::Small => (384, 12, 6, 224, 16),
        Preset::Base => (768, 12, 12, 224, 16),
    };
    object(json!({
        "architectures": [class],
        "model_type": model_type,
        "hidden_act": "gelu",
        "hidden_size": d_model,
        "image_size": image,
        "initializer_range": 0.02,
        "intermediate_size": 4 * d_model,
        "layer_norm_eps": 1e-12,
        "num_attention_heads": heads,
        "num_channels": 3,
        "num_hidden_layers": layers,
        "num_labels": 10,
        "patch_size": patch,
        "qkv_bias": true,
    }))
}
