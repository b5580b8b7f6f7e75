//! What stands between the two maps of a feed-forward network.

use std::f64::consts::PI;

use burn::tensor::{Tensor, activation};
use fluxo_backends::kernels;
use serde::Serialize;

/// A function of each element.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `x`: nothing at all.
    Identity,
    /// `max(x, 0)`.
    Relu,
    /// `max(x, 0)²` (Primer, arXiv:2109.08668).
    ReluSquared,
    /// `x Φ(x)` with the error function (arXiv:1606.08415).
    Gelu,
    /// GELU's approximation by tanh, of the same paper.
    GeluTanh,
    /// `x σ(1.702 x)`, of the same paper.
    QuickGelu,
    /// `x σ(x)`, also known as Swish (arXiv:1702.03118).
    Silu,
    /// `tanh(x)`.
    Tanh,
}

impl Activation {
    /// The activation that transformers calls `name`, as `hidden_act` has it.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "linear" => Self::Identity,
            "relu" => Self::Relu,
            "relu2" | "relu_squared" => Self::ReluSquared,
            "gelu" | "gelu_python" => Self::Gelu,
            "gelu_new" | "gelu_fast" | "gelu_pytorch_tanh" | "gelu_python_tanh" => Self::GeluTanh,
            "quick_gelu" => Self::QuickGelu,
            "silu" | "swish" => Self::Silu,
            "tanh" => Self::Tanh,
            _ => return None,
        })
    }

    /// Applies the function to each element of `x`, any shape.
    pub fn forward<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Identity => x,
            Self::Relu => activation::relu(x),
            Self::ReluSquared => activation::relu(x).powi_scalar(2),
            Self::Gelu => kernels::gelu(x),
            Self::GeluTanh => {
                // Burn's own takes the cube by a power, element by element.
                let cubed = x.clone() * x.clone() * x.clone();
                let inner = (x.clone() + cubed * 0.044715) * (2.0 / PI).sqrt();
                (x * 0.5) * (inner.tanh() + 1.0)
            }
            Self::QuickGelu => x.clone() * activation::sigmoid(x * 1.702),
            Self::Silu => x.clone() * activation::sigmoid(x),
            Self::Tanh => x.tanh(),
        }
    }
}
