//! Tiny models of every family, and inputs for them.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Distribution, Tensor, TensorData};
use fluxo_inspect::StreamReport;
use fluxo_models::stack::InputConfig;
use fluxo_models::{Model, NetworkConfig, NewModelOptions, Tensors};

/// A tiny model of `family`, its vectors random too: norms' gains and biases, LayerScale.
pub fn model(family: &str) -> Model {
    struct Vectors;
    impl ModuleMapper for Vectors {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            match D {
                1 => param.map(|values| values.random_like(Distribution::Uniform(-1.0, 2.0))),
                _ => param,
            }
        }
    }
    let device = fluxo_backends::device("flex").unwrap();
    let mut model = Model::new(family, &NewModelOptions::default(), 7, &device).unwrap();
    model.network = model.network.map(&mut Vectors);
    model
}

/// Two rows of `seq` tokens, the second with `padding` dropped at its end.
pub fn tokens(seq: usize, padding: usize) -> Tensors {
    named("", seq, padding)
}

fn named(prefix: &str, seq: usize, padding: usize) -> Tensors {
    let ids = (0..2 * seq as i64).map(|i| (i * 37 + 11) % 256);
    let mask = (0..2 * seq).map(|i| i64::from(i < 2 * seq - padding));
    let matrix = |values: Vec<i64>| TensorData::new(values, [2, seq]);
    Tensors::from([
        (format!("{prefix}input_ids"), matrix(ids.collect())),
        (format!("{prefix}attention_mask"), matrix(mask.collect())),
    ])
}

/// Inputs for a network of `config`: two rows of what it reads.
pub fn inputs(config: &NetworkConfig) -> Tensors {
    let mut inputs = Tensors::new();
    let floats = |shape: &[usize]| {
        let count = shape.iter().product::<usize>();
        let values = (0..count).map(|i| ((i * 37) % 101) as f32 / 50.0 - 1.0);
        TensorData::new(values.collect(), shape.to_vec())
    };
    for (name, stack) in config.stacks() {
        match &stack.input {
            InputConfig::Tokens(_) if name == "decoder" && config.encodes_and_decodes() => {
                inputs.extend(named("decoder_", 6, 1));
            }
            InputConfig::Tokens(_) => inputs.extend(tokens(9, 4)),
            InputConfig::Patches(patches) => {
                let [height, width] = patches.image;
                let shape = [2, patches.channels, height, width];
                inputs.insert("pixel_values".into(), floats(&shape));
            }
            InputConfig::Frames(frames) => {
                let shape = [2, frames.mel_bins, frames.frames()];
                inputs.insert("input_features".into(), floats(&shape));
            }
        }
    }
    inputs
}

/// The sum of all shares.
pub fn shares(report: &StreamReport) -> f64 {
    let layers = report.layers.iter().map(|layer| {
        layer.attention_share
            + layer.cross_share.unwrap_or(0.0)
            + layer.feed_forward_share
            + layer.norm_bias_share.unwrap_or(0.0)
    });
    report.embedding_share + layers.sum::<f64>()
}
