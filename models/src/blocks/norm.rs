//! Layer normalisation (arXiv:1607.06450) and root-mean-square normalisation
//! (arXiv:1910.07467), over the last axis.
//!
//! Each kind is known in two more places: `fluxo_inspect` carries the parts of a stream through it, and
//! `fluxo_compare::locate` finds its ends in a file, by a `…Normalization` or by a division before the
//! product with `weight`.

use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::{DType, Device, Tensor};
use fluxo_backends::kernels;
use serde::Serialize;

use super::typed;

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
    /// `(x − mean) / σ · γ`.
    LayerWithoutBias,
    /// `x / √(mean(x²) + ε) · γ`.
    Rms,
    /// `x / √(mean(x²) + ε) · (1 + γ)` (Gemma, arXiv:2403.08295).
    RmsPlusOne,
}

impl NormConfig {
    /// A LayerNorm.
    pub fn layer(epsilon: f64) -> Self {
        let kind = NormKind::Layer;
        Self { kind, epsilon }
    }

    /// An RMSNorm.
    pub fn rms(epsilon: f64) -> Self {
        let kind = NormKind::Rms;
        Self { kind, epsilon }
    }

    /// A norm over `width` values that starts by changing no scale: γ = 1 (or 0 where 1 is
    /// added to it) and β = 0.
    pub fn init(&self, width: usize, device: &Device) -> Norm {
        let gain = match self.kind {
            NormKind::RmsPlusOne => Initializer::Zeros,
            _ => Initializer::Ones,
        };
        Norm {
            weight: gain.init([width], device),
            bias: (self.kind == NormKind::Layer).then(|| Initializer::Zeros.init([width], device)),
            epsilon: self.epsilon,
            kind: self.kind,
        }
    }
}

/// A norm with its gain γ and, for LayerNorm, its bias β.
#[derive(Module, Debug)]
pub struct Norm {
    /// γ: `[width]`.
    pub weight: Param<Tensor<1>>,
    /// β: `[width]`.
    pub bias: Option<Param<Tensor<1>>>,
    epsilon: f64,
    #[module(skip)]
    kind: NormKind,
}

impl Norm {
    /// Normalises each row of `x`: `[.., width] -> [.., width]`.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let weight = self.weight.val();
        match self.kind {
            NormKind::Layer | NormKind::LayerWithoutBias => {
                let bias = self.bias.as_ref().map(Param::val);
                kernels::layer_norm(x, weight, bias, self.epsilon)
            }
            NormKind::Rms => self.scaled(x, weight),
            NormKind::RmsPlusOne => self.scaled(x, weight + 1.0),
        }
    }

    /// `x / √(mean(x²) + ε) · gain`, in the gain's element type. A square leaves the range of 16
    /// bits early, so those are widened, as the papers' own code does; `x` may be wide already.
    fn scaled<const D: usize>(&self, x: Tensor<D>, gain: Tensor<1>) -> Tensor<D> {
        let dtype = gain.dtype();
        if matches!(dtype, DType::F16 | DType::BF16) {
            let wide = self.scaled(typed(x, DType::F32), gain.cast(DType::F32));
            return wide.cast(dtype);
        }
        let mean_square = kernels::mean(x.clone() * x.clone()); // [.., 1]
        let root = (mean_square + self.epsilon).sqrt();
        (x / root) * gain.unsqueeze()
    }
}
