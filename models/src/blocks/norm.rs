//! Layer normalisation (arXiv:1607.06450) and root-mean-square normalisation
//! (arXiv:1910.07467), over the last axis.

use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::{Device, Tensor, module::layer_norm};
use serde::Serialize;

/// Which norm, and the constant under its root.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct NormConfig {
    /// The kind of norm.
    pub kind: NormKind,
    /// Added to the variance (or the mean square) before the root.
    pub epsilon: f64,
}

/// The kinds of norm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NormKind {
    /// `(x − mean) / σ · γ + β`.
    Layer,
    /// `x / √(mean(x²) + ε) · γ`.
    Rms,
}

impl NormConfig {
    /// A norm over `d_model` values, with γ = 1 and β = 0.
    pub fn init(&self, d_model: usize, device: &Device) -> Norm {
        Norm {
            weight: Initializer::Ones.init([d_model], device),
            bias: (self.kind == NormKind::Layer)
                .then(|| Initializer::Zeros.init([d_model], device)),
            epsilon: self.epsilon,
            kind: self.kind,
        }
    }
}

/// A norm with its gain γ and, for LayerNorm, its bias β.
#[derive(Module, Debug)]
pub struct Norm {
    /// γ: `[d_model]`.
    pub weight: Param<Tensor<1>>,
    /// β: `[d_model]`.
    pub bias: Option<Param<Tensor<1>>>,
    epsilon: f64,
    #[module(skip)]
    kind: NormKind,
}

impl Norm {
    /// Normalises each row of `x`: `[.., d_model] -> [.., d_model]`.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let weight = self.weight.val();
        match self.kind {
            NormKind::Layer => {
                let bias = self.bias.as_ref().map(Param::val);
                layer_norm(x, weight, bias, self.epsilon)
            }
            NormKind::Rms => {
                let mean_square = (x.clone() * x.clone()).mean_dim(D - 1); // [.., 1]
                let root = (mean_square + self.epsilon).sqrt();
                (x / root) * weight.unsqueeze()
            }
        }
    }
}
