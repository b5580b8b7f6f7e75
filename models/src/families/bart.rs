//! BART: "Denoising Sequence-to-Sequence Pre-training" (arXiv:1910.13461).
//!
//! A post-norm encoder-decoder with learned positions from row 2 on, a norm behind the
//! embeddings, the head tied to the token embedding.

use serde_json::{Map, Value, json};

use super::heads::{dense, outputs};
use super::{Class, Family, Preset, Ties, activation, head_dim, merged, object};
use crate::blocks::activation::Activation;
use crate::blocks::attention::AttentionConfig;
use crate::blocks::block::{BlockConfig, NormPosition};
use crate::blocks::embedding::EmbeddingConfig;
use crate::blocks::feed_forward::FeedForwardConfig;
use crate::blocks::norm::NormConfig;
use crate::blocks::position::PositionConfig;
use crate::checkpoint::rule::{Rule, linear, row, same};
use crate::config::RawConfig;
use crate::error::Result;
use crate::head::{HeadConfig, OutputConfig, Pooling};
use crate::network::NetworkConfig;
use crate::stack::{InputConfig, StackConfig};
use crate::task::Task;

/// Row of the position table that belongs to position 0.
const OFFSET: usize = 2;

/// The family.
pub const FAMILY: Family = Family {
    name: "bart",
    model_type: "bart",
    paper: "arXiv:1910.13461",
    classes: &[
        Class::with_head(
            "BartForConditionalGeneration",
            Task::Text2TextGeneration,
            LM_HEAD,
        ),
        Class::bare("BartModel", Task::FeatureExtraction),
        Class::with_head(
            "BartForSequenceClassification",
            Task::TextClassification,
            CLASSIFY,
        ),
    ],
    prefix: "model.",
    read,
    tensors: TENSORS,
    ties: Ties::SHARED,
    preset,
};

fn read(raw: &RawConfig, task: Task) -> Result<NetworkConfig> {
    let norm = NormConfig::layer(1e-5);
    let position = PositionConfig::Learned {
        rows: raw.size("max_position_embeddings")? + OFFSET,
        offset: OFFSET,
    };
    let mut config = network(raw, NormPosition::Post, position)?;
    for stack in [&mut config.encoder, &mut config.decoder]
        .into_iter()
        .flatten()
    {
        if let InputConfig::Tokens(tokens) = &mut stack.input {
            tokens.norm = Some(norm);
        }
    }
    let d_model = config.main().d_model;
    config.head = match task {
        Task::Text2TextGeneration => Some(HeadConfig::every(OutputConfig::Tied { bias: true })),
        Task::TextClassification => {
            let end = raw.count("eos_token_id")?;
            let head = HeadConfig::of(Pooling::LastOf(end), outputs(raw.labels_or(3)?));
            Some(head.behind(dense(d_model, Activation::Tanh)))
        }
        _ => None,
    };
    Ok(config)
}

/// Encoder and decoder without a head, as BART's kin have them too.
pub(super) fn network(
    raw: &RawConfig,
    norm_position: NormPosition,
    position: PositionConfig,
) -> Result<NetworkConfig> {
    let d_model = raw.size("d_model")?;
    let norm = NormConfig::layer(1e-5);
    let act = activation(raw, "activation_function")?;
    let scale = raw.flag("scale_embedding")?;
    let block = |heads: &str, d_ff: &str| -> Result<BlockConfig> {
        let heads = raw.size(heads)?;
        let attention = AttentionConfig::new(heads, head_dim(d_model, heads)?);
        let network = FeedForwardConfig::plain(raw.size(d_ff)?, act);
        Ok(BlockConfig::new(norm_position, norm, attention, network))
    };
    let tokens = EmbeddingConfig {
        scale: scale.then(|| (d_model as f64).sqrt()),
        position: Some(position),
        takes_positions: false,
        ..EmbeddingConfig::tokens(raw.size("vocab_size")?)
    };
    let encoder = BlockConfig {
        saturates: true,
        ..block("encoder_attention_heads", "encoder_ffn_dim")?
    };
    let layers = raw.layers("encoder_layers")?;
    let input = InputConfig::Tokens(tokens.clone());
    let encoder = StackConfig::uniform(d_model, layers, encoder, input);
    let mut decoder = block("decoder_attention_heads", "decoder_ffn_dim")?;
    decoder.cross = Some(decoder.attention.clone());
    decoder.attention.causal = true;
    let layers = raw.layers("decoder_layers")?;
    let input = InputConfig::Tokens(EmbeddingConfig {
        borrowed: true,
        ..tokens
    });
    let decoder = StackConfig::uniform(d_model, layers, decoder, input);
    Ok(NetworkConfig {
        encoder: Some(encoder),
        decoder: Some(decoder),
        decoder_start: raw.count_opt("decoder_start_token_id")?,
        ..NetworkConfig::empty(raw.positive("init_std")?)
    })
}

#[rustfmt::skip]
pub(super) const TENSORS: &[Rule] = &[
    same(&["encoder.embedding.token"], "shared"),
    same(&["decoder.embedding.token"], "decoder.embed_tokens"),
    same(&["{s}.embedding.position.table"], "{s}.embed_positions"),
    same(&["{s}.embedding.norm"], "{s}.layernorm_embedding"),
    same(&["encoder.frames.conv1"], "encoder.conv1"),
    same(&["encoder.frames.conv2"], "encoder.conv2"),
    same(&["encoder.frames.position"], "encoder.embed_positions"),
    linear(&["{s}.layers.{i}.attention.query"], "{s}.layers.{i}.self_attn.q_proj"),
    linear(&["{s}.layers.{i}.attention.key"], "{s}.layers.{i}.self_attn.k_proj"),
    linear(&["{s}.layers.{i}.attention.value"], "{s}.layers.{i}.self_attn.v_proj"),
    linear(&["{s}.layers.{i}.attention.output"], "{s}.layers.{i}.self_attn.out_proj"),
    same(&["{s}.layers.{i}.attention_norm"], "{s}.layers.{i}.self_attn_layer_norm"),
    linear(&["decoder.layers.{i}.cross.query"], "decoder.layers.{i}.encoder_attn.q_proj"),
    linear(&["decoder.layers.{i}.cross.key"], "decoder.layers.{i}.encoder_attn.k_proj"),
    linear(&["decoder.layers.{i}.cross.value"], "decoder.layers.{i}.encoder_attn.v_proj"),
    linear(&["decoder.layers.{i}.cross.output"], "decoder.layers.{i}.encoder_attn.out_proj"),
    same(&["decoder.layers.{i}.cross_norm"], "decoder.layers.{i}.encoder_attn_layer_norm"),
    linear(&["{s}.layers.{i}.feed_forward.up"], "{s}.layers.{i}.fc1"),
    linear(&["{s}.layers.{i}.feed_forward.down"], "{s}.layers.{i}.fc2"),
    same(&["{s}.layers.{i}.feed_forward_norm"], "{s}.layers.{i}.final_layer_norm"),
    same(&["{s}.final_norm"], "{s}.layer_norm"),
];
pub(super) const LM_HEAD: &[Rule] = &[
    row(&["head.bias"], "final_logits_bias"),
    row(&["head.output.bias"], "final_logits_bias"),
    linear(&["head.output"], "lm_head"),
];
const CLASSIFY: &[Rule] = &[
    linear(&["head.dense"], "classification_head.dense"),
    linear(&["head.output"], "classification_head.out_proj"),
];

fn preset(preset: Preset) -> Map<String, Value> {
    let map = sizes(preset);
    let vocab = match preset {
        Preset::Tiny => 256,
        _ => 50265,
    };
    let own = json!({
        "architectures": ["BartForConditionalGeneration"],
        "model_type": "bart",
        "decoder_start_token_id": 2,
        "eos_token_id": 2,
        "pad_token_id": 1,
        "vocab_size": vocab,
    });
    merged(map, own)
}

/// Sizes for a model of BART's kin.
pub(super) fn sizes(preset: Preset) -> Map<String, Value> {
    let (d_model, layers, heads, positions) = match preset {
        Preset::Tiny => (128, 3, 4, 128),
        Preset::Small => (512, 6, 8, 512),
        Preset::Base => (768, 6, 12, 1024),
    };
    object(json!({
        "architectures": [],
        "model_type": "",
        "activation_function": "gelu",
        "d_model": d_model,
        "decoder_attention_heads": heads,
        "decoder_ffn_dim": 4 * d_model,
        "decoder_layers": layers,
        "encoder_attention_heads": heads,
        "encoder_ffn_dim": 4 * d_model,
        "encoder_layers": layers,
        "init_std": 0.02,
        "max_position_embeddings": positions,
        "scale_embedding": false,
    }))
}
