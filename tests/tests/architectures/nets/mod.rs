//! The modules.

pub mod detection;
pub mod generation;
pub mod graphs;
pub mod language;
pub mod sound;
pub mod vision;

use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor};
use fluxo_onnx::{Dim, Input, Spec};

pub fn device() -> Device {
    fluxo_backends::device("flex").unwrap()
}

/// A spec of one image input, `[batch, channels, height, width]`.
pub fn images(name: &str, channels: usize, height: &str, width: &str) -> Spec {
    let dims: [Dim; 4] = ["batch".into(), channels.into(), height.into(), width.into()];
    Spec::new(name).input(Input::float("x", dims))
}

/// A convolution that keeps the map, divided by its stride.
pub fn conv(channels: [usize; 2], kernel: usize, stride: usize) -> Conv2d {
    let pad = kernel / 2;
    Conv2dConfig::new(channels, [kernel, kernel])
        .with_stride([stride, stride])
        .with_padding(PaddingConfig2d::Explicit(pad, pad, pad, pad))
        .init(&device())
}

pub fn linear(from: usize, to: usize) -> Linear {
    LinearConfig::new(from, to).init(&device())
}

/// Attention of every query to every key: `[batch, queries, width]`, `[batch, keys, width]` twice.
pub fn attend(query: Tensor<3>, key: Tensor<3>, value: Tensor<3>) -> Tensor<3> {
    let scale = (query.dims()[2] as f32).sqrt();
    softmax(query.matmul(key.swap_dims(1, 2)) / scale, 2).matmul(value)
}
