//! T5: "Exploring the Limits of Transfer Learning" (arXiv:1910.10683), its version 1.1 and
//! Flan-T5 (arXiv:2210.11416).
//!
//! A pre-norm encoder-decoder with RMSNorm and learned biases for distances in place of
//! positions; scores are not scaled. The later ones have gated networks and, as published, a
//! head of their own.

use serde_json::{Map, Value, json};

use super::gpt2::LM_HEAD;
use super::heads::decoder;
use super::{Class, Family, Preset, Ties, object, only};
use crate::blocks::activation::Activation;
use crate::blocks::attention::{AttentionConfig, ProjectionBias};
use crate::blocks::bias::BiasConfig;
use crate::blocks::block::{BlockConfig, NormPosition};
use crate::blocks::embedding::EmbeddingConfig;
use crate::blocks::feed_forward::FeedForwardConfig;
use crate::blocks::norm::NormConfig;
use crate::checkpoint::rule::{Rule, linear, same};
use crate::config::RawConfig;
use crate::error::{Error, Result};
use crate::network::NetworkConfig;
use crate::stack::{InputConfig, StackConfig};
use crate::task::Task;

/// T5.
pub const FAMILY: Family = Family {
    name: "t5",
    model_type: "t5",
    paper: "arXiv:1910.10683",
    classes: &[
        Class::with_head(
            "T5ForConditionalGeneration",
            Task::Text2TextGeneration,
            LM_HEAD,
        )
        .also(&["T5WithLMHeadModel"]),
        Class::bare("T5EncoderModel", Task::FeatureExtraction),
    ],
    prefix: "",
    read,
    tensors: TENSORS,
    ties: Ties::ALWAYS,
    preset: |preset| t5(preset, "relu", true),
};

/// Flan-T5: the same, with gated networks and a head of its own.
pub const FLAN: Family = Family {
    name: "flan-t5",
    paper: "arXiv:2210.11416",
    preset: |preset| t5(preset, "gated-gelu", false),
    ..FAMILY
};

fn read(raw: &RawConfig, task: Task) -> Result<NetworkConfig> {
    let d_model = raw.size("d_model")?;
    let norm = NormConfig::rms(raw.positive("layer_norm_epsilon")?);
    let attention = AttentionConfig {
        bias: ProjectionBias::all(false),
        scale: Some(1.0),
        ..AttentionConfig::new(raw.size("num_heads")?, raw.size("d_kv")?)
    };
    let network = feed_forward(raw)?;
    let block = BlockConfig {
        saturates: true,
        ..BlockConfig::new(NormPosition::Pre, norm, attention.clone(), network)
    };
    let tokens = EmbeddingConfig::tokens(raw.size("vocab_size")?);
    let bias = |both_sides| -> Result<BiasConfig> {
        Ok(BiasConfig::Buckets {
            count: raw.size("relative_attention_num_buckets")?,
            max_distance: raw.size("relative_attention_max_distance")?,
            both_sides,
        })
    };
    let layers = raw.layers("num_layers")?;
    let input = InputConfig::Tokens(tokens.clone());
    let encoder = StackConfig {
        bias: Some(bias(true)?),
        final_norm: Some(norm),
        ..StackConfig::uniform(d_model, layers, block.clone(), input)
    };
    let mut config = NetworkConfig {
        encoder: Some(encoder),
        ..NetworkConfig::empty(0.02 * raw.positive("initializer_factor")?)
    };
    if task == Task::FeatureExtraction {
        return Ok(config);
    }
    only(raw, "is_encoder_decoder", true)?;
    let layers = match raw.size_opt("num_decoder_layers")? {
        Some(_) => raw.layers("num_decoder_layers")?,
        None => layers,
    };
    let block = BlockConfig {
        attention: AttentionConfig {
            causal: true,
            ..attention.clone()
        },
        cross: Some(attention),
        ..block
    };
    let input = InputConfig::Tokens(EmbeddingConfig {
        borrowed: true,
        ..tokens
    });
    config.decoder = Some(StackConfig {
        bias: Some(bias(false)?),
        final_norm: Some(norm),
        ..StackConfig::uniform(d_model, layers, block, input)
    });
    // transformers ties them always, and asks the key, unless it is false, for the scale alone.
    let tied = raw.0.get("tie_word_embeddings") != Some(&Value::Bool(false));
    decoder(&mut config, raw, Task::TextGeneration, tied)?;
    if let Some(head) = &mut config.head {
        let scaled = if raw.0.contains_key("scale_decoder_outputs") {
            raw.flag("scale_decoder_outputs")?
        } else {
            tied
        };
        head.scale = scaled.then(|| 1.0 / (d_model as f64).sqrt());
    }
    config.decoder_start = raw.count_opt("decoder_start_token_id")?;
    Ok(config)
}

/// `feed_forward_proj`: an activation, `gated-` before it where there is a gate. What it means is
/// saved beside it, and counts where it is there.
fn feed_forward(raw: &RawConfig) -> Result<FeedForwardConfig> {
    let said = raw.word("feed_forward_proj")?;
    let name = match (raw.text("dense_act_fn")?, said.split_once('-')) {
        (Some(name), _) => name,
        // Written so, it has always meant the approximation.
        (None, Some(("gated", "gelu"))) => "gelu_new",
        (None, Some(("gated", name))) => name,
        (None, _) => said,
    };
    let activation = Activation::from_name(name).ok_or_else(|| {
        Error::Config(format!(
            "`feed_forward_proj` is `{said}` (`dense_act_fn` `{name}`), which is not supported"
        ))
    })?;
    let gated = if raw.0.contains_key("is_gated_act") {
        raw.flag("is_gated_act")?
    } else {
        said.starts_with("gated-")
    };
    Ok(FeedForwardConfig {
        gated,
        bias: false,
        wide_down: true,
        ..FeedForwardConfig::plain(raw.size("d_ff")?, activation)
    })
}

#[rustfmt::skip]
const TENSORS: &[Rule] = &[
    same(&["encoder.embedding.token"], "shared"),
    same(&["decoder.embedding.token"], "decoder.embed_tokens"),
    same(&["{s}.relative"], "{s}.block.0.layer.0.SelfAttention.relative_attention_bias"),
    same(&["{s}.layers.{i}.attention_norm"], "{s}.block.{i}.layer.0.layer_norm"),
    linear(&["{s}.layers.{i}.attention.query"], "{s}.block.{i}.layer.0.SelfAttention.q"),
    linear(&["{s}.layers.{i}.attention.key"], "{s}.block.{i}.layer.0.SelfAttention.k"),
    linear(&["{s}.layers.{i}.attention.value"], "{s}.block.{i}.layer.0.SelfAttention.v"),
    linear(&["{s}.layers.{i}.attention.output"], "{s}.block.{i}.layer.0.SelfAttention.o"),
    same(&["decoder.layers.{i}.cross_norm"], "decoder.block.{i}.layer.1.layer_norm"),
    linear(&["decoder.layers.{i}.cross.query"], "decoder.block.{i}.layer.1.EncDecAttention.q"),
    linear(&["decoder.layers.{i}.cross.key"], "decoder.block.{i}.layer.1.EncDecAttention.k"),
    linear(&["decoder.layers.{i}.cross.value"], "decoder.block.{i}.layer.1.EncDecAttention.v"),
    linear(&["decoder.layers.{i}.cross.output"], "decoder.block.{i}.layer.1.EncDecAttention.o"),
    same(&["encoder.layers.{i}.feed_forward_norm"], "encoder.block.{i}.layer.1.layer_norm"),
    linear(&["encoder.layers.{i}.feed_forward.gate"], "encoder.block.{i}.layer.1.DenseReluDense.wi_0"),
    linear(&["encoder.layers.{i}.feed_forward.up"], "encoder.block.{i}.layer.1.DenseReluDense.wi_1").beside("encoder.layers.{i}.feed_forward.gate"),
    linear(&["encoder.layers.{i}.feed_forward.up"], "encoder.block.{i}.layer.1.DenseReluDense.wi"),
    linear(&["encoder.layers.{i}.feed_forward.down"], "encoder.block.{i}.layer.1.DenseReluDense.wo"),
    same(&["decoder.layers.{i}.feed_forward_norm"], "decoder.block.{i}.layer.2.layer_norm"),
    linear(&["decoder.layers.{i}.feed_forward.gate"], "decoder.block.{i}.layer.2.DenseReluDense.wi_0"),
    linear(&["decoder.layers.{i}.feed_forward.up"], "decoder.block.{i}.layer.2.DenseReluDense.wi_1").beside("decoder.layers.{i}.feed_forward.gate"),
    linear(&["decoder.layers.{i}.feed_forward.up"], "decoder.block.{i}.layer.2.DenseReluDense.wi"),
    linear(&["decoder.layers.{i}.feed_forward.down"], "decoder.block.{i}.layer.2.DenseReluDense.wo"),
    same(&["{s}.final_norm"], "{s}.final_layer_norm"),
];

fn t5(preset: Preset, network: &str, tied: bool) -> Map<String, Value> {
    let (d_model, layers, heads, vocab) = match preset {
        Preset::Tiny => (128, 3, 4, 256),
        Preset::Small => (512, 6, 8, 32128),
        Preset::Base => (768, 12, 12, 32128),
    };
    object(json!({
        "architectures": ["T5ForConditionalGeneration"],
        "model_type": "t5",
        "d_ff": 4 * d_model,
        "d_kv": d_model / heads,
        "d_model": d_model,
        "decoder_start_token_id": 0,
        "eos_token_id": 1,
        "feed_forward_proj": network,
        "initializer_factor": 1.0,
        "layer_norm_epsilon": 1e-6,
        "num_decoder_layers": layers,
        "num_heads": heads,
        "num_layers": layers,
        "pad_token_id": 0,
        "relative_attention_max_distance": 128,
        "relative_attention_num_buckets": 32,
        "tie_word_embeddings": tied,
        "vocab_size": vocab,
    }))
}
