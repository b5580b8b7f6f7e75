//! The inputs and outputs that a model of the zoo has as an ONNX file, by the names that other
//! programs expect.

use fluxo_models::head::Read;
use fluxo_models::stack::{InputConfig, UNBOUNDED};
use fluxo_models::{
    AnyRank, Batch, Cache, KeyValue, LayerCache, Model, Network, NetworkConfig, Taps, inputs,
};
use fluxo_onnx::{Args, Input, Outputs, Spec};

use crate::error::{Error, Result};
use crate::export::ExportOptions;

/// How a model is called in its file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Interface {
    config: NetworkConfig,
    /// Blocks with a cache; 0 where the file takes none.
    cached_layers: usize,
}

impl Interface {
    /// The interface of `model`. The file of an encoder-decoder has no cache yet: it reads both
    /// texts whole. That of a model that answers for whole rows has none either.
    ///
    /// # Errors
    /// When `options` ask for images that the model does not read.
    pub(crate) fn of(model: &Model, options: &ExportOptions) -> Result<Self> {
        let mut config = model.config().clone();
        if let Some(size) = options.image_size {
            resize(&mut config, size)?;
        }
        let goes_on = config
            .head
            .as_ref()
            .is_none_or(|head| head.read == Read::All);
        let cached = options.cache && config.cached() && !config.encodes_and_decodes() && goes_on;
        Ok(Self {
            cached_layers: if cached { config.layers() } else { 0 },
            config,
        })
    }

    /// The model's configuration, its images of the file's size.
    pub(crate) fn config(&self) -> &NetworkConfig {
        &self.config
    }

    pub(crate) fn cached(&self) -> bool {
        self.cached_layers > 0
    }

    /// Every input by name; classifiers make the decoder's tokens themselves.
    fn names(&self) -> Vec<&'static str> {
        let (mut needed, optional) = inputs::names(&self.config);
        let more = optional
            .into_iter()
            .filter(|name| !name.starts_with("decoder_"));
        needed.extend(more);
        needed.sort_by_key(|name| ORDER.iter().position(|known| known == name));
        needed
    }

    /// The file's inputs and the sizes that stay open.
    pub(crate) fn spec(&self, name: &str) -> Spec {
        let total = if self.cached() {
            "past_sequence + sequence"
        } else {
            "sequence"
        };
        let mut spec = Spec::new(name);
        for name in self.names() {
            spec = spec.input(match name {
                "attention_mask" => Input::int(name, ["batch", total]),
                "decoder_input_ids" => Input::int(name, ["batch", "decoder_sequence"]),
                "pixel_values" | "input_features" => Input::float(name, self.row(name)),
                _ => Input::int(name, ["batch", "sequence"]),
            });
        }
        let longest = |stack: &Option<fluxo_models::stack::StackConfig>| {
            let positions = stack.as_ref().map(|stack| stack.max_positions);
            positions.filter(|&positions| positions < UNBOUNDED)
        };
        let reads_first = match self.config.encoder {
            Some(_) => &self.config.encoder,
            None => &self.config.decoder,
        };
        let names = self.names();
        let bounds = [
            ("input_ids", "sequence", longest(reads_first)),
            (
                "decoder_input_ids",
                "decoder_sequence",
                longest(&self.config.decoder),
            ),
        ];
        if !self.cached() {
            for (input, size, longest) in bounds {
                if let Some(longest) = longest.filter(|_| names.contains(&input)) {
                    spec = spec.size_max(size, longest);
                }
            }
            return spec;
        }
        let (heads, size) = (
            self.config.kv_heads().to_string(),
            self.config.head_dim().to_string(),
        );
        let dims = ["batch", &heads, "past_sequence", &size];
        for layer in 0..self.cached_layers {
            for part in ["key", "value"] {
                spec = spec.input(Input::float(
                    format!("past_key_values.{layer}.{part}"),
                    dims,
                ));
            }
        }
        spec = spec.size_min("past_sequence", 0);
        // Past and sequence together fit the positions.
        match longest(reads_first) {
            Some(longest) => spec
                .size_max("past_sequence", longest / 2)
                .size_max("sequence", longest - longest / 2),
            None => spec,
        }
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

    /// The forward pass between those inputs and the file's outputs.
    pub(crate) fn forward(&self, network: &Network, args: &mut Args<'_>) -> Outputs {
        let names = self.names();
        let layers = (0..self.cached_layers).map(|layer| LayerCache {
            own: KeyValue {
                key: args.float::<4>(&format!("past_key_values.{layer}.key")),
                value: args.float::<4>(&format!("past_key_values.{layer}.value")),
            },
            cross: None,
        });
        let layers: Vec<_> = layers.collect();
        let mut int = |name: &str| names.contains(&name).then(|| args.int::<2>(name));
        let mut batch = Batch {
            input_ids: int("input_ids"),
            attention_mask: int("attention_mask"),
            token_type_ids: int("token_type_ids"),
            decoder_input_ids: int("decoder_input_ids"),
            cache: self.cached().then(|| Cache::full(layers)),
            ..Batch::default()
        };
        if names.contains(&"pixel_values") {
            batch.pixel_values = Some(args.float::<4>("pixel_values"));
        }
        if names.contains(&"input_features") {
            batch.input_features = Some(args.float::<3>("input_features"));
        }
        let output = network.forward(batch, &mut Taps::off());
        let given = output.named(network).into_iter();
        let given = given.filter(|(name, _)| self.cached() || !name.starts_with("present."));
        given.fold(Outputs::new(), |outputs, (name, value)| match value {
            AnyRank::Two(value) => outputs.float(name, value),
            AnyRank::Three(value) => outputs.float(name, value),
            AnyRank::Four(value) => outputs.float(name, value),
        })
    }
}

/// Sets the height and width of the images.
fn resize(config: &mut NetworkConfig, size: [usize; 2]) -> Result<()> {
    let refuse = |reason: String| Err(Error::from(fluxo_onnx::Error::Option(reason)));
    let stack = config.vision.as_mut().map(|stack| &mut stack.input);
    let Some(InputConfig::Patches(patches)) = stack else {
        return refuse("an image size, and the model reads no images".into());
    };
    if patches.image == size {
        return Ok(());
    }
    let [rows, columns] = patches.grid(size);
    if !patches.interpolates || rows * columns == 0 {
        let ([height, width], own) = (size, patches.image);
        return refuse(format!(
            "images of {height}x{width}, and the model reads those of {}x{}",
            own[0], own[1]
        ));
    }
    patches.image = size;
    Ok(())
}

/// Inputs in the order that transformers' own exports have.
const ORDER: [&str; 6] = [
    "input_ids",
    "pixel_values",
    "input_features",
    "attention_mask",
    "token_type_ids",
    "decoder_input_ids",
];
