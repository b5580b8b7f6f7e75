//! Sounds: causal convolutions (arXiv:1609.03499) and a Conformer block (arXiv:2005.08100).

use burn::module::Module;
use burn::nn::conv::{Conv1d, Conv1dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, LayerNorm, LayerNormConfig, Linear, PaddingConfig1d};
use burn::tensor::Tensor;
use burn::tensor::activation::{relu, sigmoid, silu, tanh};

use super::{attend, device, linear};

/// Gated convolutions that see nothing to come, each twice as far back as the one before.
#[derive(Module, Debug)]
pub struct Causal {
    into: Conv1d,
    filters: Vec<Conv1d>,
    gates: Vec<Conv1d>,
    out: Vec<Conv1d>,
    head: Conv1d,
}

impl Causal {
    pub fn new() -> Self {
        let conv = |channels: [usize; 2], kernel: usize, dilation: usize| {
            let config = Conv1dConfig::new(channels[0], channels[1], kernel);
            config.with_dilation(dilation).init(&device())
        };
        let each = |kernel: usize| {
            let layer = |i: usize| conv([8, 8], kernel, if kernel > 1 { 1 << i } else { 1 });
            (0..4).map(layer).collect::<Vec<_>>()
        };
        Self {
            into: conv([1, 8], 1, 1),
            filters: each(2),
            gates: each(2),
            out: each(1),
            head: conv([8, 6], 1, 1),
        }
    }

    /// `[batch, 1, samples] -> [batch, 6, samples]`.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let mut x = self.into.forward(x);
        let mut skipped: Option<Tensor<3>> = None;
        for (i, (filter, gate)) in self.filters.iter().zip(&self.gates).enumerate() {
            let [batch, channels, _] = x.dims();
            let before = Tensor::zeros([batch, channels, 1 << i], &x.device());
            let y = Tensor::cat(vec![before, x.clone()], 2);
            let y = tanh(filter.forward(y.clone())) * sigmoid(gate.forward(y));
            let y = self.out[i].forward(y);
            skipped = Some(match skipped {
                Some(sum) => sum + y.clone(),
                None => y.clone(),
            });
            x = x + y;
        }
        self.head.forward(relu(skipped.unwrap()))
    }
}

/// Half a feed-forward, attention, a convolution, half a feed-forward.
#[derive(Module, Debug)]
pub struct Conformer {
    norms: Vec<LayerNorm>,
    inner: Vec<Linear>,
    outer: Vec<Linear>,
    mixing: Vec<Linear>,
    wide: Conv1d,
    alone: Conv1d,
    batch_norm: BatchNorm,
    narrow: Conv1d,
}

const WIDTH: usize = 12;

impl Conformer {
    pub fn new() -> Self {
        let alone = Conv1dConfig::new(WIDTH, WIDTH, 7).with_groups(WIDTH);
        Self {
            norms: (0..5)
                .map(|_| LayerNormConfig::new(WIDTH).init(&device()))
                .collect(),
            inner: (0..2).map(|_| linear(WIDTH, 24)).collect(),
            outer: (0..2).map(|_| linear(24, WIDTH)).collect(),
            mixing: (0..4).map(|_| linear(WIDTH, WIDTH)).collect(),
            wide: Conv1dConfig::new(WIDTH, 2 * WIDTH, 1).init(&device()),
            alone: alone
                .with_padding(PaddingConfig1d::Explicit(3, 3))
                .init(&device()),
            batch_norm: BatchNormConfig::new(WIDTH).init(&device()),
            narrow: Conv1dConfig::new(WIDTH, WIDTH, 1).init(&device()),
        }
    }

    fn half(&self, i: usize, x: Tensor<3>) -> Tensor<3> {
        let y = self.norms[i].forward(x.clone());
        x + self.outer[i].forward(silu(self.inner[i].forward(y))) * 0.5
    }

    fn convolved(&self, x: Tensor<3>) -> Tensor<3> {
        let y = self.norms[3].forward(x.clone()).swap_dims(1, 2); // [batch, width, frames]
        let y = self.wide.forward(y);
        let (value, gate) = (y.clone().narrow(1, 0, WIDTH), y.narrow(1, WIDTH, WIDTH));
        let y = self.alone.forward(value * sigmoid(gate));
        let y = self.narrow.forward(silu(self.batch_norm.forward(y)));
        x + y.swap_dims(1, 2)
    }

    /// `[batch, frames, 12]`.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let x = self.half(0, x);
        let y = self.norms[2].forward(x.clone());
        let of = |i: usize| self.mixing[i].forward(y.clone());
        let x = x + self.mixing[3].forward(attend(of(0), of(1), of(2)));
        let x = self.half(1, self.convolved(x));
        self.norms[4].forward(x)
    }
}
