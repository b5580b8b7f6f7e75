//! Whisper: "Robust Speech Recognition via Large-Scale Weak Supervision" (arXiv:2212.04356).
//!
//! A pre-norm encoder-decoder that reads a spectrogram through two convolutions; keys have no
//! bias.

use serde_json::{Map, Value, json};

use super::bart::{self, TENSORS};
use super::{Class, Family, Preset, Ties, merged};
use crate::blocks::block::NormPosition;
use crate::blocks::embedding::Counting;
use crate::blocks::frames::FramesConfig;
use crate::blocks::norm::NormConfig;
use crate::blocks::position::PositionConfig;
use crate::checkpoint::rule::linear;
use crate::config::RawConfig;
use crate::error::Result;
use crate::head::{HeadConfig, OutputConfig};
use crate::network::NetworkConfig;
use crate::stack::InputConfig;
use crate::task::Task;

/// The family.
pub const FAMILY: Family = Family {
    name: "whisper",
    model_type: "whisper",
    paper: "arXiv:2212.04356",
    classes: &[
        Class::with_head(
            "WhisperForConditionalGeneration",
            Task::AutomaticSpeechRecognition,
            &[linear(&["head.output"], "proj_out")],
        ),
        Class::bare("WhisperModel", Task::FeatureExtraction),
    ],
    prefix: "model.",
    read,
    tensors: TENSORS,
    ties: Ties::PLAIN,
    preset,
};

fn read(raw: &RawConfig, task: Task) -> Result<NetworkConfig> {
    let position = PositionConfig::Learned {
        rows: raw.size("max_target_positions")?,
        offset: 0,
    };
    let mut config = bart::network(raw, NormPosition::Pre, position)?;
    let positions = raw.size("max_source_positions")?;
    let frames = FramesConfig {
        mel_bins: raw.size("num_mel_bins")?,
        positions,
    };
    if let Some(stack) = &mut config.encoder {
        stack.input = InputConfig::Frames(frames);
        stack.max_positions = positions;
    }
    if let Some(stack) = &mut config.decoder
        && let InputConfig::Tokens(tokens) = &mut stack.input
    {
        tokens.borrowed = false;
        // The key is there, and transformers' model does not look at it.
        tokens.scale = None;
        tokens.counting = Counting::Kept;
        tokens.takes_positions = true;
    }
    for stack in [&mut config.encoder, &mut config.decoder]
        .into_iter()
        .flatten()
    {
        stack.final_norm = Some(NormConfig::layer(1e-5));
        for block in &mut stack.blocks {
            block.attention.bias.key = false;
            if let Some(cross) = &mut block.cross {
                cross.bias.key = false;
            }
        }
    }
    if task == Task::AutomaticSpeechRecognition {
        config.head = Some(HeadConfig::every(OutputConfig::Tied { bias: false }));
    }
    Ok(config)
}

fn preset(preset: Preset) -> Map<String, Value> {
    let mut map = bart::sizes(preset);
    map.remove("max_position_embeddings");
    let (mels, source, vocab) = match preset {
        Preset::Tiny => (40, 50, 256),
        _ => (80, 1500, 51865),
    };
    let own = json!({
        "architectures": ["WhisperForConditionalGeneration"],
        "model_type": "whisper",
        "decoder_start_token_id": vocab - 2,
        "eos_token_id": vocab - 1,
        "max_source_positions": source,
        "max_target_positions": 448,
        "num_mel_bins": mels,
        "pad_token_id": vocab - 1,
        "vocab_size": vocab,
    });
    merged(map, own)
}
