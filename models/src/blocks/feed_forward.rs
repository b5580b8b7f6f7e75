//! The position-wise feed-forward network (arXiv:1706.03762, section 3.3), plain or gated
//! (arXiv:2002.05202).

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use serde::Serialize;

use super::activation::Activation;
use super::taps::Taps;
use super::{apply, linear, typed};

/// Sizes and kind of a feed-forward network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct FeedForwardConfig {
    /// The width between the two maps.
    pub d_ff: usize,
    /// Whether a second projection gates the first: `down(act(gate(x)) · up(x))`.
    pub gated: bool,
    /// The function between the maps.
    pub activation: Activation,
    /// Whether the maps have biases.
    pub bias: bool,
    /// Whether the second map stays in float32 where the model is in float16, and the stream
    /// with what it writes: T5's leave the range of 16 bits (transformers'
    /// `_keep_in_fp32_modules`).
    pub wide_down: bool,
    /// Several such networks, of which each position uses a few.
    pub experts: Option<ExpertsConfig>,
}

/// How many experts there are, and how many a position uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ExpertsConfig {
    /// Experts.
    pub count: usize,
    /// Experts that a position uses.
    pub active: usize,
}

impl FeedForwardConfig {
    /// `down(act(up(x)))` with biases.
    pub fn plain(d_ff: usize, activation: Activation) -> Self {
        Self {
            d_ff,
            gated: false,
            activation,
            bias: true,
            wide_down: false,
            experts: None,
        }
    }

    /// `down(act(gate(x)) · up(x))` without biases.
    pub fn gated(d_ff: usize, activation: Activation) -> Self {
        Self {
            gated: true,
            bias: false,
            ..Self::plain(d_ff, activation)
        }
    }

    /// One network over `d_model` values, its weights of deviation `std`.
    pub fn init(&self, d_model: usize, std: f64, device: &Device) -> FeedForward {
        FeedForward {
            gate: self
                .gated
                .then(|| linear(d_model, self.d_ff, self.bias, std, device)),
            up: linear(d_model, self.d_ff, self.bias, std, device),
            down: linear(self.d_ff, d_model, self.bias, std, device),
            activation: self.activation,
        }
    }
}

/// `down(act(up(x)))`, or `down(act(gate(x)) · up(x))`.
#[derive(Module, Debug)]
pub struct FeedForward {
    /// `[d_model, d_ff]`, where the network is gated.
    pub gate: Option<Linear>,
    /// `[d_model, d_ff]`.
    pub up: Linear,
    /// `[d_ff, d_model]`.
    pub down: Linear,
    #[module(skip)]
    activation: Activation,
}

impl FeedForward {
    /// `[batch, seq, d_model] -> [batch, seq, d_model]`, each position by itself; in the element
    /// type of the second map's weights.
    pub fn forward(&self, x: Tensor<3>, taps: &mut Taps) -> Tensor<3> {
        let gate = self.gate.as_ref().map(|gate| {
            let x = taps.begin(format_args!("gate"), x.clone());
            self.activation.forward(taps.end(apply(gate, x)))
        });
        let x = taps.begin(format_args!("up"), x);
        let up = taps.end(apply(&self.up, x));
        let hidden = match gate {
            Some(gate) => gate * up,
            None => self.activation.forward(up),
        }; // [batch, seq, d_ff]
        let hidden = typed(hidden, self.down.weight.val().dtype());
        let hidden = taps.begin(format_args!("down"), hidden);
        taps.end(apply(&self.down, hidden))
    }
}
