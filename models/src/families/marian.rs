//! Marian: "Fast Neural Machine Translation in C++" (arXiv:1804.00344), as OPUS-MT has it.
//!
//! The encoder-decoder of "Attention Is All You Need" (arXiv:1706.03762): post-norm, computed
//! positions, scaled embeddings, the head tied to them.

use serde_json::{Map, Value, json};

use super::bart::{self, LM_HEAD, TENSORS};
use super::{Class, Family, Preset, Ties, merged, only};
use crate::blocks::block::NormPosition;
use crate::blocks::position::PositionConfig;
use crate::config::RawConfig;
use crate::error::{Error, Result};
use crate::head::{HeadConfig, OutputConfig};
use crate::network::NetworkConfig;
use crate::task::Task;

/// The family.
pub const FAMILY: Family = Family {
    name: "marian",
    model_type: "marian",
    paper: "arXiv:1804.00344",
    classes: &[
        Class::with_head("MarianMTModel", Task::Text2TextGeneration, LM_HEAD),
        Class::bare("MarianModel", Task::FeatureExtraction),
    ],
    prefix: "model.",
    read,
    tensors: TENSORS,
    ties: Ties::SHARED,
    preset,
};

fn read(raw: &RawConfig, task: Task) -> Result<NetworkConfig> {
    only(raw, "share_encoder_decoder_embeddings", true)?;
    let vocab = raw.size("vocab_size")?;
    let decoder_vocab = raw.size_opt("decoder_vocab_size")?.unwrap_or(vocab);
    if decoder_vocab != vocab {
        return Err(Error::Config(format!(
            "a `decoder_vocab_size` ({decoder_vocab}) other than `vocab_size` ({vocab}) is not \
             supported"
        )));
    }
    let position = PositionConfig::Sinusoidal {
        rows: raw.size("max_position_embeddings")?,
    };
    let mut config = bart::network(raw, NormPosition::Post, position)?;
    if task == Task::Text2TextGeneration {
        config.head = Some(HeadConfig::every(OutputConfig::Tied { bias: true }));
    }
    Ok(config)
}

fn preset(preset: Preset) -> Map<String, Value> {
    let map = bart::sizes(preset);
    let vocab = match preset {
        Preset::Tiny => 256,
        _ => 58101,
    };
    let own = json!({
        "architectures": ["MarianMTModel"],
        "model_type": "marian",
        "activation_function": "swish",
        "decoder_start_token_id": vocab - 1,
        "eos_token_id": 0,
        "pad_token_id": vocab - 1,
        "scale_embedding": true,
        "vocab_size": vocab,
    });
    merged(map, own)
}
