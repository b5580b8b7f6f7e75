//! Which inputs a network takes, by name, and what each must be.

use super::{Reader, refuse};
use crate::error::Result;
use crate::head::Pooling;
use crate::network::NetworkConfig;
use crate::stack::{InputConfig, StackConfig};

/// The names of a network's inputs, but for the cache's, those that must be given first.
pub fn names(config: &NetworkConfig) -> (Vec<&'static str>, Vec<&'static str>) {
    let (mut needed, mut optional) = (Vec::new(), Vec::new());
    match config.encoder.as_ref().map(|stack| &stack.input) {
        Some(InputConfig::Tokens(_)) => {
            needed.push("input_ids");
            optional.push("attention_mask");
        }
        Some(InputConfig::Frames(_)) => needed.push("input_features"),
        _ => {}
    }
    if config.encodes_and_decodes() {
        // A classifier makes the decoder's tokens of the encoder's, and reads the answer there.
        let reads = config.head.as_ref().map(|head| head.read);
        if reads.is_none_or(|read| read == Pooling::All) {
            needed.push("decoder_input_ids");
            optional.push("decoder_attention_mask");
            let decoder = config.decoder.as_ref();
            if decoder.and_then(StackConfig::given_positions).is_some() {
                optional.push("decoder_position_ids");
            }
        }
    } else if config.decoder.is_some() {
        needed.push("input_ids");
        optional.push("attention_mask");
    }
    if config.token_types() > 0 {
        optional.push("token_type_ids");
    }
    if config.given_positions().is_some() {
        optional.push("position_ids");
    }
    if config.vision.is_some() {
        needed.push("pixel_values");
    }
    (needed, optional)
}

impl Reader<'_> {
    /// Refuses names that the network does not take, and missing ones.
    pub(super) fn names(&self) -> Result<()> {
        let (needed, optional) = names(self.config);
        let known: Vec<&str> = needed.iter().chain(&optional).copied().collect();
        let types = |name: &str| name == "token_type_ids" && known.contains(&"input_ids");
        let unknown = self.inputs.keys().find(|name| {
            !known.contains(&name.as_str()) && !name.starts_with("past_key_values.") && !types(name)
        });
        if let Some(name) = unknown {
            return refuse(format!(
                "the model takes no `{name}`; it takes {}",
                known.join(", ")
            ));
        }
        match needed.iter().find(|name| !self.inputs.contains_key(**name)) {
            Some(name) => refuse(format!(
                "`{name}` is missing; give it as {}",
                self.form(name)
            )),
            None => Ok(()),
        }
    }

    /// What an input must be.
    pub(super) fn form(&self, name: &str) -> String {
        let stack = |stack: &Option<StackConfig>| stack.as_ref().map(|stack| stack.input.clone());
        match (
            name,
            stack(&self.config.vision),
            stack(&self.config.encoder),
        ) {
            ("pixel_values", Some(InputConfig::Patches(patches)), _) => {
                let [height, width] = patches.image;
                format!(
                    "[batch, {}, {height}, {width}] of float32",
                    patches.channels
                )
            }
            ("input_features", _, Some(InputConfig::Frames(frames))) => format!(
                "[batch, {}, {}] of float32",
                frames.mel_bins,
                frames.frames()
            ),
            _ => "[batch, sequence] of int64".to_string(),
        }
    }
}
