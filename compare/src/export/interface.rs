//! The inputs and outputs that the files of a model of the zoo have, by the names that other
//! programs expect.

use std::collections::BTreeMap;

use fluxo_models::{
    AnyRank, Batch, Cache, KeyValue, LayerCache, Network, NetworkConfig, Output, Taps, inputs,
    named::Named,
};
use fluxo_onnx::{Args, Outputs};

use crate::inputs::past_name;

use crate::files::{DECODER, ENCODER, GRAPH};

/// What of a model a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GraphRole {
    /// All of it.
    Whole,
    /// The stack that reads, of an encoder-decoder.
    Encoder,
    /// The stack that writes, of an encoder-decoder, with a cache: one file for the first tokens
    /// and for those that follow. What the cache has not of the encoder's keys it makes itself,
    /// so it needs no branches, and holds its weights once.
    Decoder,
}

/// How a model is called in one of its files.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct GraphInterface {
    pub(crate) config: NetworkConfig,
    pub(crate) part: GraphRole,
    /// Blocks with a cache; 0 where the file takes none.
    pub(crate) cached_layers: usize,
    /// Sizes that are fixed, by name.
    pub(crate) fixed: BTreeMap<String, usize>,
    /// Taps among the outputs.
    pub(super) taps: Vec<String>,
    /// Whether the hidden states are among the outputs.
    pub(super) hidden_states: bool,
    /// Whether positions are among the inputs; counted inside where they are not.
    pub(crate) position_ids: bool,
}

impl GraphInterface {
    /// Where the file lies in an exported folder.
    pub(crate) fn file(&self) -> &'static str {
        match self.part {
            GraphRole::Whole => GRAPH,
            GraphRole::Encoder => ENCODER,
            GraphRole::Decoder => DECODER,
        }
    }

    pub(crate) fn cached(&self) -> bool {
        self.cached_layers > 0
    }

    /// Every input by name, but for the cache's; classifiers make the decoder's tokens
    /// themselves.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        let (mut needed, optional) = inputs::names(&self.config);
        needed.extend(optional);
        needed.retain(|name| self.position_ids || *name != "position_ids");
        needed.retain(|name| match self.part {
            GraphRole::Whole => *name == "decoder_input_ids" || !name.starts_with("decoder_"),
            GraphRole::Encoder | GraphRole::Decoder => !name.starts_with("decoder_"),
        });
        if self.part == GraphRole::Decoder {
            let masked = needed.contains(&"attention_mask");
            needed = vec!["input_ids", "encoder_hidden_states"];
            needed.extend(masked.then_some("encoder_attention_mask"));
        }
        needed.sort_by_key(|name| ORDER.iter().position(|known| known == name));
        needed
    }

    /// The forward pass between the file's inputs and its outputs.
    pub(crate) fn forward(&self, network: &Network, args: &mut Args<'_>) -> Outputs {
        let mut taps = if self.taps.is_empty() {
            Taps::off()
        } else {
            Taps::on()
        };
        let batch = self.batch(args);
        let mut named = Named::new();
        let output = if self.part == GraphRole::Encoder {
            let streamed = network.read(&batch, &mut taps);
            let name = "last_hidden_state".to_string();
            named.push((name, AnyRank::Three(streamed.state)));
            Output {
                encoder_hidden_states: streamed.hidden_states,
                ..Output::default()
            }
        } else {
            let mut output = network.forward(batch, &mut taps);
            if self.part == GraphRole::Decoder {
                // That is an input here.
                output.encoder_last_hidden_state = None;
            }
            named.extend(output.named(network));
            output
        };
        named.retain(|(name, _)| self.cached() || !name.starts_with("present."));
        if self.hidden_states {
            named.extend(output.named_hidden_states(network));
        }
        let found = taps.into_found().into_iter();
        let wanted = found.filter(|(name, _)| self.taps.contains(name));
        named.extend(wanted.map(|(name, value)| (name, AnyRank::Three(value))));
        let outputs = Outputs::new();
        named
            .into_iter()
            .fold(outputs, |outputs, (name, value)| match value {
                AnyRank::Two(value) => outputs.float(name, value),
                AnyRank::Three(value) => outputs.float(name, value),
                AnyRank::Four(value) => outputs.float(name, value),
            })
    }

    /// What the network reads, of the file's inputs.
    fn batch(&self, args: &mut Args<'_>) -> Batch {
        let names = self.names();
        let cache = self.cached().then(|| Cache::full(self.past(args)));
        let pixels = names.contains(&"pixel_values");
        let features = names.contains(&"input_features");
        let pixel_values = pixels.then(|| args.float::<4>("pixel_values"));
        let input_features = features.then(|| args.float::<3>("input_features"));
        if self.part == GraphRole::Decoder {
            let masked = names.contains(&"encoder_attention_mask");
            return Batch {
                attention_mask: masked.then(|| args.int::<2>("encoder_attention_mask")),
                decoder_input_ids: Some(args.int::<2>("input_ids")),
                encoded: Some(args.float::<3>("encoder_hidden_states")),
                cache,
                ..Batch::default()
            };
        }
        let mut int = |name: &str| names.contains(&name).then(|| args.int::<2>(name));
        Batch {
            input_ids: int("input_ids"),
            attention_mask: int("attention_mask"),
            token_type_ids: int("token_type_ids"),
            position_ids: int("position_ids"),
            decoder_input_ids: int("decoder_input_ids"),
            pixel_values,
            input_features,
            cache,
            ..Batch::default()
        }
    }

    fn past(&self, args: &mut Args<'_>) -> Vec<LayerCache> {
        let mut read = |layer: usize, place: &str| {
            let mut part = |part| args.float::<4>(&past_name(layer, place, part));
            KeyValue {
                key: part("key"),
                value: part("value"),
            }
        };
        let layers = 0..self.cached_layers;
        layers
            .map(|layer| match self.part {
                GraphRole::Decoder => LayerCache {
                    own: read(layer, "decoder."),
                    cross: Some(read(layer, "encoder.")),
                },
                _ => LayerCache {
                    own: read(layer, ""),
                    cross: None,
                },
            })
            .collect()
    }
}

/// Inputs in the order that transformers' own exports have.
const ORDER: [&str; 9] = [
    "encoder_attention_mask",
    "input_ids",
    "encoder_hidden_states",
    "pixel_values",
    "input_features",
    "attention_mask",
    "token_type_ids",
    "position_ids",
    "decoder_input_ids",
];
