//! Sound into the stream: two convolutions over a log-mel spectrogram (Whisper,
//! arXiv:2212.04356, section 2.2).

use burn::module::Module;
use burn::nn::conv::{Conv1d, Conv1dConfig};
use burn::nn::{self, Initializer, PaddingConfig1d};
use burn::tensor::{Device, Tensor};
use serde::Serialize;

use super::activation::Activation;

/// How a spectrogram starts the stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FramesConfig {
    /// Bands of the spectrogram.
    pub mel_bins: usize,
    /// Positions of the stream: half the frames of the spectrogram.
    pub positions: usize,
}

impl FramesConfig {
    /// Frames of the spectrogram.
    pub fn frames(&self) -> usize {
        2 * self.positions
    }

    /// The convolutions and the table of positions, normal with deviation `std`.
    pub fn init(&self, d_model: usize, std: f64, device: &Device) -> Frames {
        let normal = Initializer::Normal { mean: 0.0, std };
        let conv = |channels, stride| {
            Conv1dConfig::new(channels, d_model, 3)
                .with_stride(stride)
                .with_padding(PaddingConfig1d::Explicit(1, 1))
                .with_initializer(normal.clone())
                .init(device)
        };
        Frames {
            conv1: conv(self.mel_bins, 1),
            conv2: conv(d_model, 2),
            position: nn::EmbeddingConfig::new(self.positions, d_model)
                .with_initializer(normal.clone())
                .init(device),
        }
    }
}

/// The convolutions, and the positions that are added to what they give.
#[derive(Module, Debug)]
pub struct Frames {
    /// `[d_model, mel_bins, 3]`.
    pub conv1: Conv1d,
    /// `[d_model, d_model, 3]`, every second frame.
    pub conv2: Conv1d,
    /// `[positions, d_model]`.
    pub position: nn::Embedding,
}

impl Frames {
    /// `[batch, mel_bins, frames] -> [batch, frames / 2, d_model]`.
    pub fn forward(&self, features: Tensor<3>) -> Tensor<3> {
        let x = Activation::Gelu.forward(self.conv1.forward(features));
        let x = Activation::Gelu.forward(self.conv2.forward(x));
        x.swap_dims(1, 2) + self.position.weight.val().unsqueeze()
    }
}
