//! DINOv2: "Learning Robust Visual Features without Supervision" (arXiv:2304.07193).
//!
//! ViT with LayerScale and, in its largest, gated networks.

use serde_json::{Map, Value, json};

use super::heads::outputs;
use super::vit::{self, CLASSIFIER};
use super::{Class, Family, Preset, Ties, merged};
use crate::blocks::activation::Activation;
use crate::blocks::feed_forward::FeedForwardConfig;
use crate::checkpoint::rule::{Rule, linear, same, tensor};
use crate::config::RawConfig;
use crate::error::Result;
use crate::head::{HeadConfig, OutputConfig, Pooling};
use crate::network::NetworkConfig;
use crate::stack::InputConfig;
use crate::task::Task;

/// The family.
pub const FAMILY: Family = Family {
    name: "dinov2",
    model_type: "dinov2",
    paper: "arXiv:2304.07193",
    classes: &[
        Class::with_head(
            "Dinov2ForImageClassification",
            Task::ImageClassification,
            CLASSIFIER,
        ),
        Class::bare("Dinov2Model", Task::ImageFeatureExtraction),
    ],
    prefix: "dinov2.",
    read,
    tensors: TENSORS,
    ties: Ties::PLAIN,
    preset,
};

fn read(raw: &RawConfig, task: Task) -> Result<NetworkConfig> {
    let d_model = raw.size("hidden_size")?;
    let ratio = raw.positive("mlp_ratio")?;
    let d_ff = (d_model as f64 * ratio) as usize;
    // ViT's reader, with the keys that it asks for; its pooler is put away again.
    let mut own = raw.clone();
    own.0.insert("intermediate_size".into(), d_ff.into());
    own.0.insert("pooler_act".into(), "tanh".into());
    let mut config = vit::network(&own, task, false)?;
    let scale = raw.number_opt("layerscale_value")?.unwrap_or(1.0);
    let gated = raw.flag("use_swiglu_ffn")?;
    if let Some(stack) = &mut config.vision {
        if let InputConfig::Patches(patches) = &mut stack.input {
            patches.interpolates = true;
        }
        for block in &mut stack.blocks {
            block.layer_scale = Some(scale);
            if gated {
                // As wide as makes the same count of weights, up to the next eight.
                let width = (d_ff * 2 / 3).next_multiple_of(8);
                block.feed_forward = FeedForwardConfig {
                    bias: true,
                    ..FeedForwardConfig::gated(width, Activation::Silu)
                };
            }
        }
    }
    match task {
        Task::ImageClassification => {
            let head = HeadConfig::of(Pooling::FirstAndMean, outputs(raw.labels()?));
            config.head = Some(head);
        }
        _ => config.pooler = Some(HeadConfig::of(Pooling::First, OutputConfig::None)),
    }
    Ok(config)
}

#[rustfmt::skip]
const TENSORS: &[Rule] = &[
    same(&["patches.projection"], "embeddings.patch_embeddings.projection"),
    tensor(&["patches.class_token"], "embeddings.cls_token"),
    tensor(&["patches.position"], "embeddings.position_embeddings"),
    same(&["layers.{i}.attention_norm"], "encoder.layer.{i}.norm1"),
    linear(&["layers.{i}.attention.query"], "encoder.layer.{i}.attention.attention.query"),
    linear(&["layers.{i}.attention.key"], "encoder.layer.{i}.attention.attention.key"),
    linear(&["layers.{i}.attention.value"], "encoder.layer.{i}.attention.attention.value"),
    linear(&["layers.{i}.attention.output"], "encoder.layer.{i}.attention.output.dense"),
    tensor(&["layers.{i}.attention_scale"], "encoder.layer.{i}.layer_scale1.lambda1"),
    same(&["layers.{i}.feed_forward_norm"], "encoder.layer.{i}.norm2"),
    linear(&["layers.{i}.feed_forward.gate", "layers.{i}.feed_forward.up"], "encoder.layer.{i}.mlp.weights_in").beside("layers.{i}.feed_forward.gate"),
    linear(&["layers.{i}.feed_forward.down"], "encoder.layer.{i}.mlp.weights_out").beside("layers.{i}.feed_forward.gate"),
    linear(&["layers.{i}.feed_forward.up"], "encoder.layer.{i}.mlp.fc1"),
    linear(&["layers.{i}.feed_forward.down"], "encoder.layer.{i}.mlp.fc2"),
    tensor(&["layers.{i}.feed_forward_scale"], "encoder.layer.{i}.layer_scale2.lambda1"),
    same(&["final_norm"], "layernorm"),
];

fn preset(preset: Preset) -> Map<String, Value> {
    let mut map = vit::sizes(preset, "Dinov2ForImageClassification", "dinov2");
    map.remove("intermediate_size");
    let own = json!({
        "layer_norm_eps": 1e-6,
        "layerscale_value": 1.0,
        "mlp_ratio": 4,
        "use_swiglu_ffn": false,
    });
    merged(map, own)
}
