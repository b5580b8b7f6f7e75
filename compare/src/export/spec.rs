//! The sizes that stay open in a model's files: what they are called, and how far they go.

use std::collections::BTreeMap;

use fluxo_models::stack::{InputConfig, StackConfig, UNBOUNDED};
use fluxo_onnx::{Dim, Input, Spec};

use super::interface::{GraphInterface, GraphRole};
use super::options::ExportOptions;
use crate::error::{Error, Result};
use crate::inputs::past_name;

/// How much of the encoder's keys the recordings have cached at most: less than any recording's
/// encoder reads, so that some are always made, as where none are cached.
const CACHED: usize = 9;

impl GraphInterface {
    /// The file's inputs and the sizes that stay open: `batch`, `sequence`, `past_sequence` and
    /// so on.
    pub(crate) fn spec(&self, name: &str) -> Spec {
        let mut spec = Spec::new(name);
        for input in self.inputs() {
            spec = spec.input(input);
        }
        for (size, positions) in self.positions() {
            // Past and sequence share them.
            let past = if self.cached() { positions / 2 } else { 0 };
            spec = spec.size_max(size, positions - past);
            if self.cached() {
                spec = spec.size_max("past_sequence", past);
            }
        }
        if self.cached() {
            spec = spec.size_min("past_sequence", 0);
        }
        if self.part == GraphRole::Decoder {
            let read = self.fixed.get("encoder_sequence").copied();
            let cached = read.map_or(CACHED, |read| CACHED.min(read.saturating_sub(1)));
            spec = spec
                .size_min("past_encoder_sequence", 0)
                .size_max("past_encoder_sequence", cached);
        }
        // Caches that are empty and texts of one token take shorter ways: the check of an export
        // runs the file there.
        open(&spec).into_iter().fold(spec, Spec::may_branch_at_min)
    }

    /// Those of the sizes that `options` fix which this one of the files has.
    pub(crate) fn static_sizes(
        &self,
        spec: &Spec,
        options: &ExportOptions,
    ) -> BTreeMap<String, usize> {
        let open = open(spec);
        let fixed = options.static_sizes.clone().into_iter();
        fixed.filter(|(name, _)| open.contains(name)).collect()
    }

    /// What the text's positions are called.
    fn sequence(&self) -> &'static str {
        match self.part {
            GraphRole::Encoder => "encoder_sequence",
            GraphRole::Whole | GraphRole::Decoder => "sequence",
        }
    }

    fn inputs(&self) -> Vec<Input> {
        let sequence = self.sequence();
        let total = if self.cached() {
            "past_sequence + sequence"
        } else {
            sequence
        };
        let mut inputs: Vec<Input> = Vec::new();
        for name in self.names() {
            inputs.push(match name {
                "attention_mask" => Input::int(name, ["batch", total]),
                "encoder_attention_mask" => Input::int(name, ["batch", "encoder_sequence"]),
                "encoder_hidden_states" => {
                    let width = self.config.encoder.as_ref().map_or(0, |e| e.d_model);
                    Input::float(name, ["batch", "encoder_sequence", &width.to_string()])
                }
                "decoder_input_ids" => Input::int(name, ["batch", "decoder_sequence"]),
                "pixel_values" | "input_features" => Input::float(name, self.row(name)),
                _ => Input::int(name, ["batch", sequence]),
            });
        }
        let block = self.config.main().block();
        let own = (&block.attention, "past_sequence");
        let places = match (self.part, &block.cross) {
            (GraphRole::Decoder, Some(cross)) => vec![
                ("decoder.", own),
                ("encoder.", (cross, "past_encoder_sequence")),
            ],
            _ => vec![("", own)],
        };
        for layer in 0..self.cached_layers {
            for (place, (attention, past)) in &places {
                let (heads, dim) = (attention.kv_heads, attention.head_dim);
                let dims = ["batch", &heads.to_string(), past, &dim.to_string()];
                for part in ["key", "value"] {
                    inputs.push(Input::float(past_name(layer, place, part), dims));
                }
            }
        }
        inputs
    }

    /// How many positions there are for the named sizes, where they end. A past takes of its
    /// sequence's.
    fn positions(&self) -> Vec<(&'static str, usize)> {
        let names = self.names();
        let mut found = Vec::new();
        let mut note = |input: &str, size: &'static str, stack: Option<&StackConfig>| {
            let positions = stack.map_or(UNBOUNDED, |stack| stack.max_positions);
            if positions < UNBOUNDED && names.contains(&input) {
                found.push((size, positions));
            }
        };
        let (encoder, decoder) = (self.config.encoder.as_ref(), self.config.decoder.as_ref());
        match self.part {
            GraphRole::Decoder => note("input_ids", self.sequence(), decoder),
            _ => note("input_ids", self.sequence(), encoder.or(decoder)),
        }
        note("decoder_input_ids", "decoder_sequence", decoder);
        found
    }

    /// The axes of images or spectrograms. Texts and images that are compared come in numbers
    /// of their own.
    fn row(&self, name: &str) -> Vec<String> {
        let stack = match name {
            "pixel_values" => &self.config.vision,
            _ => &self.config.encoder,
        };
        let batch = match self.config.logit_scale {
            Some(_) => "image_batch",
            None => "batch",
        };
        let sizes = match stack.as_ref().map(|stack| &stack.input) {
            Some(InputConfig::Patches(patches)) => {
                vec![patches.channels, patches.image[0], patches.image[1]]
            }
            Some(InputConfig::Frames(frames)) => vec![frames.mel_bins, frames.frames()],
            _ => Vec::new(),
        };
        let sizes = sizes.iter().map(usize::to_string);
        std::iter::once(batch.to_string()).chain(sizes).collect()
    }
}

/// Refuses sizes that none of the files has, or that the model cannot have.
pub(crate) fn check(files: &[GraphInterface], fixed: &BTreeMap<String, usize>) -> Result<()> {
    let refuse = |reason: String| Err(Error::from(fluxo_onnx::Error::Option(reason)));
    let mut known: Vec<String> = Vec::new();
    for dim in files
        .iter()
        .flat_map(GraphInterface::inputs)
        .flat_map(|i| i.dims)
    {
        names(&dim, &mut known);
    }
    for (name, &size) in fixed {
        if !known.contains(name) {
            return refuse(format!(
                "size `{name}`, which the file has not; it has: {}",
                known.join(", ")
            ));
        }
        if size == 0 && !name.starts_with("past_") {
            return refuse(format!("size `{name}` of 0"));
        }
        let shared = if name == "past_sequence" {
            "sequence"
        } else {
            name
        };
        let mut all = files.iter().flat_map(GraphInterface::positions);
        let positions = all.find(|(known, _)| *known == shared);
        let (most, why) = match positions {
            Some((_, positions)) => (positions, format!("the model has {positions} positions")),
            None => (UNBOUNDED, format!("the most is {UNBOUNDED}")),
        };
        if size > most {
            return refuse(format!("size `{name}` of {size}, and {why}"));
        }
    }
    Ok(())
}

/// The sizes that an input of `spec` has.
fn open(spec: &Spec) -> Vec<String> {
    let mut sizes = Vec::new();
    for dim in spec.inputs().iter().flat_map(|input| &input.dims) {
        names(dim, &mut sizes);
    }
    sizes
}

/// Every name in `dim` that is not in `found` yet.
fn names(dim: &Dim, found: &mut Vec<String>) {
    match dim {
        Dim::Fixed(_) => {}
        Dim::Size(name) if found.contains(name) => {}
        Dim::Size(name) => found.push(name.clone()),
        Dim::Sum(parts) => parts.iter().for_each(|part| names(part, found)),
        Dim::Times(_, of) => names(of, found),
    }
}
