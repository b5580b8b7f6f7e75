//! The parts that every family is made of.

pub mod activation;
pub mod attention;
pub mod bias;
pub mod block;
pub mod cache;
pub mod embedding;
pub mod experts;
pub mod feed_forward;
pub mod frames;
pub mod mask;
pub mod norm;
pub mod patches;
pub mod position;
pub mod probe;
pub mod rotary;
pub mod rotary_scaling;
pub mod taps;

use burn::nn::{Initializer, Linear, LinearConfig};
use burn::tensor::{DType, Device, Tensor};
use fluxo_backends::kernels;

/// A linear layer `[.., d_input] -> [.., d_output]` with normal weights of deviation `std`
/// and a bias of zeros where asked.
pub(crate) fn linear(
    d_input: usize,
    d_output: usize,
    bias: bool,
    std: f64,
    device: &Device,
) -> Linear {
    let mut linear = LinearConfig::new(d_input, d_output)
        .with_bias(false)
        .with_initializer(Initializer::Normal { mean: 0.0, std })
        .init(device);
    linear.bias = bias.then(|| Initializer::Zeros.init([d_output], device));
    linear
}

/// `x` in the element type `dtype`.
pub(crate) fn typed<const D: usize>(x: Tensor<D>, dtype: DType) -> Tensor<D> {
    if x.dtype() == dtype { x } else { x.cast(dtype) }
}

/// `layer` at `x`: `[…, d_input] -> […, d_output]`.
pub(crate) fn apply<const D: usize>(layer: &Linear, x: Tensor<D>) -> Tensor<D> {
    let bias = layer.bias.as_ref().map(|bias| bias.val());
    kernels::linear(x, layer.weight.val(), bias)
}
