//! What stands between the two maps of a feed-forward network.

use std::f64::consts::{FRAC_1_SQRT_2, PI, SQRT_2};

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
    /// GELU, at most 10 (arXiv:2004.09602).
    GeluClipped,
    /// `x · min(max(x + 3, 0), 6) / 6` (arXiv:1905.02244).
    HardSwish,
    /// `Φ((x - μ) / σ)` with the mean and deviation of Mega (arXiv:2209.10655).
    Laplace,
    /// `x`, and a hundredth of it below 0.
    LeakyRelu,
    /// `x tanh(softplus(x))` (arXiv:1908.08681).
    Mish,
    /// `max(x, 0)`, at most 6.
    Relu6,
    /// `σ(x)`.
    Sigmoid,
    /// `√softplus(x)`.
    SqrtSoftplus,
}

impl Activation {
    /// The activation that transformers calls `name`, as `hidden_act` has it: all but those with
    /// weights of their own (`prelu`, `xielu`).
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "linear" => Self::Identity,
            "relu" => Self::Relu,
            "relu2" | "relu_squared" => Self::ReluSquared,
            "gelu" | "gelu_python" => Self::Gelu,
            "gelu_new" | "gelu_fast" | "gelu_pytorch_tanh" | "gelu_python_tanh"
            | "gelu_accurate" => Self::GeluTanh,
            "gelu_10" => Self::GeluClipped,
            "hardswish" => Self::HardSwish,
            "laplace" => Self::Laplace,
            "leaky_relu" => Self::LeakyRelu,
            "mish" => Self::Mish,
            "relu6" => Self::Relu6,
            "sigmoid" => Self::Sigmoid,
            "sqrtsoftplus" => Self::SqrtSoftplus,
            "quick_gelu" => Self::QuickGelu,
            "silu" | "swish" => Self::Silu,
            "tanh" => Self::Tanh,
            _ => return None,
        })
    }

    /// Applies the function to each element of `x`, any shape.
    pub fn forward<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        match self {
            // These multiply `x` by what runtimes approximate.
            Self::Gelu
            | Self::GeluTanh
            | Self::QuickGelu
            | Self::Silu
            | Self::GeluClipped
            | Self::Mish => kernels::coarsened(x, |x| self.of(x)),
            _ => self.of(x),
        }
    }

    fn of<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
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
            Self::GeluClipped => kernels::gelu(x).clamp(-10.0, 10.0),
            Self::HardSwish => x.clone() * ((x + 3.0).clamp(0.0, 6.0) / 6.0),
            Self::Laplace => {
                let (mean, deviation) = (FRAC_1_SQRT_2, 0.282_095);
                ((x - mean) / (deviation * SQRT_2)).erf() * 0.5 + 0.5
            }
            Self::LeakyRelu => x.clone().clamp_min(0.0) + x.clamp_max(0.0) * 0.01,
            Self::Mish => x.clone() * softplus(x).tanh(),
            Self::Relu6 => x.clamp(0.0, 6.0),
            Self::Sigmoid => activation::sigmoid(x),
            Self::SqrtSoftplus => softplus(x).sqrt(),
        }
    }
}

/// `ln(1 + eˣ)`, whatever the size of `x`.
fn softplus<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    x.clone().clamp_min(0.0) + (-x.abs()).exp().log1p()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use burn::tensor::TensorData;

    use super::*;

    /// Values of transformers' `ACT2FN` at points where each differs from its kin, the bounds of
    /// the clipped ones among them; the families' tests have the others within whole models.
    #[test]
    fn functions_have_transformers_values_out_to_their_bounds() {
        let x = [-12.0, -3.0, -0.5, 0.0, 0.7, 4.0, 12.0];
        #[rustfmt::skip]
        let wanted: [(&str, [f32; 7]); 8] = [
            ("gelu_10", [0.0, -0.004049867, -0.1542688, 0.0, 0.5306255, 3.999873, 10.0]),
            ("hardswish", [0.0, 0.0, -0.2083333, 0.0, 0.4316666, 4.0, 12.0]),
            ("laplace", [0.0, 0.0, 9.387732e-06, 0.006094456, 0.4899502, 1.0, 1.0]),
            ("leaky_relu", [-0.12, -0.03, -0.005, 0.0, 0.7, 4.0, 12.0]),
            ("mish", [-7.373032e-05, -0.1456475, -0.2207438, 0.0, 0.5611483, 3.997413, 12.0]),
            ("relu6", [0.0, 0.0, 0.0, 0.0, 0.7, 4.0, 6.0]),
            ("sigmoid", [6.144174e-06, 0.04742587, 0.3775407, 0.5, 0.6681877, 0.9820138, 0.9999938]),
            ("sqrtsoftplus", [0.002478748, 0.2204254, 0.6885325, 0.8325546, 1.050327, 2.004532, 3.464103]),
        ];
        let device = fluxo_backends::device("flex").unwrap();
        for (name, wanted) in wanted {
            let x = Tensor::<1>::from_data(TensorData::from(x), &device);
            let got = Activation::from_name(name).unwrap().forward(x).into_data();
            for (got, wanted) in got.iter::<f32>().zip(wanted) {
                // A few units of float32's last place, and the small ones absolutely.
                assert!(
                    (got - wanted).abs() <= 1e-6 * wanted.abs().max(1.0),
                    "{name}: {got} for {wanted}"
                );
            }
        }
        assert!(
            ["prelu", "xielu"]
                .into_iter()
                .all(|name| Activation::from_name(name).is_none())
        );
    }
}
