//! Inputs for every family.

use burn::tensor::TensorData;
use fluxo_models::head::Pooling;
use fluxo_models::stack::InputConfig;
use fluxo_models::{NetworkConfig, Tensors, inputs};

/// Two rows of whatever the network reads. Texts have 9 tokens, the second row's first 3 of
/// them padding, the last the one that the head looks for.
pub fn inputs(config: &NetworkConfig) -> Tensors {
    let (needed, _) = inputs::names(config);
    let input = |name: &str| match (name, &config.vision, &config.encoder) {
        ("pixel_values", Some(vision), _) => match &vision.input {
            InputConfig::Patches(patches) => {
                let [height, width] = patches.image;
                waves(&[2, patches.channels, height, width])
            }
            _ => unreachable!("images come in patches"),
        },
        ("input_features", _, Some(encoder)) => match &encoder.input {
            InputConfig::Frames(frames) => waves(&[2, frames.mel_bins, frames.frames()]),
            _ => unreachable!("sound comes in frames"),
        },
        _ => {
            let end = match config.head.as_ref().map(|head| head.read) {
                Some(Pooling::FirstOf(token) | Pooling::LastOf(token)) => token as i64,
                _ => 255,
            };
            let ids = (0..18).map(|i| if i % 9 == 8 { end } else { (i * 37 + 11) % 251 });
            TensorData::new(ids.collect::<Vec<i64>>(), [2, 9])
        }
    };
    let mut inputs: Tensors = needed
        .iter()
        .map(|name| (name.to_string(), input(name)))
        .collect();
    for prefix in ["", "decoder_"] {
        if inputs.contains_key(&format!("{prefix}input_ids")) {
            let keep = (0..18).map(|i| i64::from(!(9..12).contains(&i)));
            let keep = TensorData::new(keep.collect::<Vec<_>>(), [2, 9]);
            inputs.insert(format!("{prefix}attention_mask"), keep);
        }
    }
    inputs
}

/// Values between -1 and 1.
pub fn waves(shape: &[usize]) -> TensorData {
    let count = shape.iter().product::<usize>();
    let values: Vec<f32> = (0..count).map(|i| (i as f32 * 0.7).sin()).collect();
    TensorData::new(values, shape.to_vec())
}
