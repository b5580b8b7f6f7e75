//! CLIP: "Learning Transferable Visual Models From Natural Language Supervision"
//! (arXiv:2103.00020).
//!
//! A causal text encoder read at its end token and a ViT with a norm before its blocks, each
//! mapped into one space.

use serde_json::{Map, Value, json};

use super::{Class, Family, Preset, Ties, activation, head_dim, merged, object};
use crate::blocks::attention::AttentionConfig;
use crate::blocks::block::{BlockConfig, NormPosition};
use crate::blocks::embedding::EmbeddingConfig;
use crate::blocks::feed_forward::FeedForwardConfig;
use crate::blocks::norm::NormConfig;
use crate::blocks::patches::PatchesConfig;
use crate::blocks::position::PositionConfig;
use crate::checkpoint::rule::{Rule, flat, linear, same};
use crate::config::RawConfig;
use crate::error::{Error, Result};
use crate::head::{HeadConfig, OutputConfig, Pooling};
use crate::network::{Answer, NetworkConfig};
use crate::stack::{InputConfig, StackConfig};
use crate::task::Task;

/// The token that the first releases wrongly name as the end: theirs has the highest number.
const WRONG_END: usize = 2;

/// The class that reads texts, without the map into the common space.
const TEXT_ALONE: &str = "CLIPTextModel";
/// The same for images.
const IMAGE_ALONE: &str = "CLIPVisionModel";

/// The family.
pub const FAMILY: Family = Family {
    name: "clip",
    model_type: "clip",
    paper: "arXiv:2103.00020",
    classes: &[
        Class::bare("CLIPModel", Task::ZeroShotImageClassification).with(BOTH),
        Class::bare("CLIPTextModelWithProjection", Task::FeatureExtraction).with(TEXT),
        Class::bare(
            "CLIPVisionModelWithProjection",
            Task::ImageFeatureExtraction,
        )
        .with(IMAGE),
        Class::bare(TEXT_ALONE, Task::FeatureExtraction).omitting("text_model."),
        Class::bare(IMAGE_ALONE, Task::ImageFeatureExtraction)
            .with(POOLED)
            .omitting("vision_model."),
    ],
    prefix: "",
    read,
    tensors: TENSORS,
    ties: Ties::PLAIN,
    preset,
};

fn read(raw: &RawConfig, task: Task) -> Result<NetworkConfig> {
    let text = tower_config(raw, "text_config", "clip_text_model")?;
    let vision = tower_config(raw, "vision_config", "clip_vision_model")?;
    let size = raw.size("projection_dim")?;
    let output = OutputConfig::Linear { size, bias: false };
    let end = match text.count_opt("eos_token_id")? {
        Some(WRONG_END) => Pooling::Highest,
        Some(end) => Pooling::FirstOf(end),
        None => {
            return Err(Error::Config(
                "`eos_token_id` of the text is missing".into(),
            ));
        }
    };
    let mut config = NetworkConfig::empty(0.02 * raw.positive("initializer_factor")?);
    match raw.architecture() {
        Some(TEXT_ALONE) => {
            config.encoder = Some(text_tower(&text)?);
            config.pooler = Some(HeadConfig::of(end, OutputConfig::None));
            return Ok(config);
        }
        Some(IMAGE_ALONE) => {
            let tower = image_tower(&vision)?;
            // Only what is pooled goes through the last norm.
            config.pooler = Some(HeadConfig {
                norm: tower.final_norm,
                ..HeadConfig::of(Pooling::First, OutputConfig::None)
            });
            config.vision = Some(StackConfig {
                final_norm: None,
                ..tower
            });
            return Ok(config);
        }
        _ => {}
    }
    if task != Task::ImageFeatureExtraction {
        config.encoder = Some(text_tower(&text)?);
        config.head = Some(HeadConfig::of(end, output));
        config.answer = Answer::TextEmbeds;
    }
    if task != Task::FeatureExtraction {
        config.vision = Some(image_tower(&vision)?);
        let head = HeadConfig::of(Pooling::First, output);
        if task == Task::ImageFeatureExtraction {
            config.head = Some(head);
            config.answer = Answer::ImageEmbeds;
        } else {
            config.image_head = Some(head);
            config.logit_scale = Some(
                raw.number_opt("logit_scale_init_value")?
                    .unwrap_or_default(),
            );
        }
    }
    Ok(config)
}

/// The configuration of a tower: a part of the whole, which a file of the first releases has a
/// second time as `KEY_dict`, and that counts; or the whole file where one tower is alone.
fn tower_config(raw: &RawConfig, key: &str, model_type: &str) -> Result<RawConfig> {
    if raw.text("model_type")? == Some(model_type) {
        return Ok(raw.clone());
    }
    let mut own = raw.section(key)?.unwrap_or_else(|| RawConfig(Map::new()));
    if let Some(dict) = raw.section(&format!("{key}_dict"))? {
        own.0.extend(dict.complete(model_type)?.0);
    }
    own.complete(model_type)
}

fn block(raw: &RawConfig, causal: bool) -> Result<BlockConfig> {
    let d_model = raw.size("hidden_size")?;
    let heads = raw.size("num_attention_heads")?;
    Ok(BlockConfig::new(
        NormPosition::Pre,
        NormConfig::layer(raw.positive("layer_norm_eps")?),
        AttentionConfig {
            causal,
            ..AttentionConfig::new(heads, head_dim(d_model, heads)?)
        },
        FeedForwardConfig::plain(
            raw.size("intermediate_size")?,
            activation(raw, "hidden_act")?,
        ),
    ))
}

fn tower(raw: &RawConfig, block: BlockConfig, input: InputConfig) -> Result<StackConfig> {
    let layers = raw.layers("num_hidden_layers")?;
    Ok(StackConfig {
        final_norm: Some(block.norm),
        hidden_states_end_normed: false,
        ..StackConfig::uniform(raw.size("hidden_size")?, layers, block, input)
    })
}

fn text_tower(raw: &RawConfig) -> Result<StackConfig> {
    let input = InputConfig::Tokens(EmbeddingConfig {
        position: Some(PositionConfig::Learned {
            rows: raw.size("max_position_embeddings")?,
            offset: 0,
        }),
        ..EmbeddingConfig::tokens(raw.size("vocab_size")?)
    });
    tower(raw, block(raw, true)?, input)
}

fn image_tower(raw: &RawConfig) -> Result<StackConfig> {
    let block = block(raw, false)?;
    let input = InputConfig::Patches(PatchesConfig {
        image: raw.pair("image_size")?,
        patch: raw.pair("patch_size")?,
        channels: raw.size("num_channels")?,
        bias: false,
        distillation: false,
        interpolates: false,
        norm: Some(block.norm),
    });
    tower(raw, block, input)
}

#[rustfmt::skip]
const TENSORS: &[Rule] = &[
    same(&["encoder.embedding.token"], "text_model.embeddings.token_embedding"),
    same(&["encoder.embedding.position.table"], "text_model.embeddings.position_embedding"),
    same(&["encoder.layers.{i}.attention_norm"], "text_model.encoder.layers.{i}.layer_norm1"),
    linear(&["encoder.layers.{i}.attention.query"], "text_model.encoder.layers.{i}.self_attn.q_proj"),
    linear(&["encoder.layers.{i}.attention.key"], "text_model.encoder.layers.{i}.self_attn.k_proj"),
    linear(&["encoder.layers.{i}.attention.value"], "text_model.encoder.layers.{i}.self_attn.v_proj"),
    linear(&["encoder.layers.{i}.attention.output"], "text_model.encoder.layers.{i}.self_attn.out_proj"),
    same(&["encoder.layers.{i}.feed_forward_norm"], "text_model.encoder.layers.{i}.layer_norm2"),
    linear(&["encoder.layers.{i}.feed_forward.up"], "text_model.encoder.layers.{i}.mlp.fc1"),
    linear(&["encoder.layers.{i}.feed_forward.down"], "text_model.encoder.layers.{i}.mlp.fc2"),
    same(&["encoder.final_norm"], "text_model.final_layer_norm"),
    same(&["vision.patches.projection"], "vision_model.embeddings.patch_embedding"),
    flat(&["vision.patches.class_token"], "vision_model.embeddings.class_embedding"),
    flat(&["vision.patches.position"], "vision_model.embeddings.position_embedding.weight"),
    same(&["vision.patches.norm"], "vision_model.pre_layrnorm"),
    same(&["vision.layers.{i}.attention_norm"], "vision_model.encoder.layers.{i}.layer_norm1"),
    linear(&["vision.layers.{i}.attention.query"], "vision_model.encoder.layers.{i}.self_attn.q_proj"),
    linear(&["vision.layers.{i}.attention.key"], "vision_model.encoder.layers.{i}.self_attn.k_proj"),
    linear(&["vision.layers.{i}.attention.value"], "vision_model.encoder.layers.{i}.self_attn.v_proj"),
    linear(&["vision.layers.{i}.attention.output"], "vision_model.encoder.layers.{i}.self_attn.out_proj"),
    same(&["vision.layers.{i}.feed_forward_norm"], "vision_model.encoder.layers.{i}.layer_norm2"),
    linear(&["vision.layers.{i}.feed_forward.up"], "vision_model.encoder.layers.{i}.mlp.fc1"),
    linear(&["vision.layers.{i}.feed_forward.down"], "vision_model.encoder.layers.{i}.mlp.fc2"),
    same(&["vision.final_norm"], "vision_model.post_layernorm"),
];
const BOTH: &[Rule] = &[
    linear(&["head.output"], "text_projection"),
    linear(&["image_head.output"], "visual_projection"),
    flat(&["logit_scale"], "logit_scale"),
];
const POOLED: &[Rule] = &[same(&["pooler.norm"], "vision_model.post_layernorm")];
const TEXT: &[Rule] = &[linear(&["head.output"], "text_projection")];
const IMAGE: &[Rule] = &[linear(&["head.output"], "visual_projection")];

fn preset(preset: Preset) -> Map<String, Value> {
    let (d_model, layers, heads, image, patch, vocab, positions) = match preset {
        Preset::Tiny => (128, 3, 4, 32, 8, 256, 77),
        Preset::Small => (384, 6, 6, 224, 32, 49408, 77),
        Preset::Base => (512, 12, 8, 224, 32, 49408, 77),
    };
    let tower = json!({
        "hidden_act": "quick_gelu",
        "hidden_size": d_model,
        "intermediate_size": 4 * d_model,
        "layer_norm_eps": 1e-5,
        "num_attention_heads": heads,
        "num_hidden_layers": layers,
        "projection_dim": d_model,
    });
    let with = |own: Value| merged(object(tower.clone()), own);
    object(json!({
        "architectures": ["CLIPModel"],
        "model_type": "clip",
        "initializer_factor": 1.0,
        "logit_scale_init_value": 2.6592,
        "projection_dim": d_model,
        "text_config": with(json!({
            "eos_token_id": vocab - 1,
            "max_position_embeddings": positions,
            "vocab_size": vocab,
        })),
        "vision_config": with(json!({
            "image_size": image,
            "num_channels": 3,
            "patch_size": patch,
        })),
    }))
}
