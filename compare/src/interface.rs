//! The inputs and outputs that a model of the zoo has as an ONNX file, by the names that other
//! programs expect.

use fluxo_models::{Batch, Cache, LayerCache, Model, Network, Output, Taps};
use fluxo_onnx::{Args, Input, Outputs, Spec};

/// How a model is called in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Interface {
    /// Blocks with a cache; 0 where the file takes none.
    cached_layers: usize,
    kv_heads: usize,
    head_dim: usize,
    token_types: bool,
    max_positions: usize,
}

impl Interface {
    /// The interface of `model`; `cache` says whether a decoder takes and gives its cache.
    pub(crate) fn of(model: &Model, cache: bool) -> Self {
        let config = model.config();
        Self {
            cached_layers: if config.causal() && cache {
                config.layers
            } else {
                0
            },
            kv_heads: config.kv_heads(),
            head_dim: config.head_dim(),
            token_types: config.token_types() > 0,
            max_positions: config.max_positions,
        }
    }

    pub(crate) fn cached(&self) -> bool {
        self.cached_layers > 0
    }

    /// The file's inputs and the sizes that stay open.
    pub(crate) fn spec(&self, name: &str) -> Spec {
        let total = if self.cached() {
            "past_sequence + sequence"
        } else {
            "sequence"
        };
        let mut spec = Spec::new(name)
            .input(Input::int("input_ids", ["batch", "sequence"]))
            .input(Input::int("attention_mask", ["batch", total]));
        if self.token_types {
            spec = spec.input(Input::int("token_type_ids", ["batch", "sequence"]));
        }
        if !self.cached() {
            return spec.size_max("sequence", self.max_positions);
        }
        let (heads, size) = (self.kv_heads.to_string(), self.head_dim.to_string());
        let dims = ["batch", &heads, "past_sequence", &size];
        for layer in 0..self.cached_layers {
            for part in ["key", "value"] {
                spec = spec.input(Input::float(
                    format!("past_key_values.{layer}.{part}"),
                    dims,
                ));
            }
        }
        // Past and sequence together fit the positions.
        let half = self.max_positions / 2;
        spec.size_min("past_sequence", 0)
            .size_max("past_sequence", half)
            .size_max("sequence", self.max_positions - half)
    }

    /// The forward pass between those inputs and the file's outputs.
    pub(crate) fn forward(&self, network: &Network, args: &mut Args<'_>) -> Outputs {
        let layers = (0..self.cached_layers).map(|layer| LayerCache {
            key: args.float::<4>(&format!("past_key_values.{layer}.key")),
            value: args.float::<4>(&format!("past_key_values.{layer}.value")),
        });
        let layers: Vec<_> = layers.collect();
        let batch = Batch {
            attention_mask: Some(args.int::<2>("attention_mask")),
            token_type_ids: self.token_types.then(|| args.int::<2>("token_type_ids")),
            cache: self.cached().then_some(Cache { layers }),
            ..Batch::new(args.int::<2>("input_ids"))
        };
        let Output {
            last_hidden_state,
            logits,
            pooler_output,
            cache,
            ..
        } = network.forward(batch, &mut Taps::off());
        let mut outputs = match logits {
            Some(logits) => Outputs::new().float("logits", logits),
            None => Outputs::new().float("last_hidden_state", last_hidden_state),
        };
        if let Some(pooled) = pooler_output {
            outputs = outputs.float("pooler_output", pooled);
        }
        let layers = cache
            .filter(|_| self.cached())
            .into_iter()
            .flat_map(|cache| cache.layers);
        for (layer, cache) in layers.enumerate() {
            outputs = outputs
                .float(format!("present.{layer}.key"), cache.key)
                .float(format!("present.{layer}.value"), cache.value);
        }
        outputs
    }
}
