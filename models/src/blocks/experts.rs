//! A mixture of experts: several feed-forward networks, of which each position uses a few
//! (arXiv:2101.03961; routed as in Mixtral, arXiv:2401.04088).

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor, activation::softmax};

pub use super::feed_forward::ExpertsConfig;
use super::feed_forward::{FeedForward, FeedForwardConfig};
use super::linear;
use super::taps::Taps;

impl ExpertsConfig {
    /// Experts of the kind `expert` over `d_model` values, their weights of deviation `std`.
    pub fn init(
        &self,
        expert: &FeedForwardConfig,
        d_model: usize,
        std: f64,
        device: &Device,
    ) -> Experts {
        Experts {
            router: linear(d_model, self.count, false, std, device),
            experts: (0..self.count)
                .map(|_| expert.init(d_model, std, device))
                .collect(),
            active: self.active,
        }
    }
}

/// A router and its experts.
#[derive(Module, Debug)]
pub struct Experts {
    /// `[d_model, experts]`.
    pub router: Linear,
    /// The experts.
    pub experts: Vec<FeedForward>,
    active: usize,
}

impl Experts {
    /// `[batch, seq, d_model] -> [batch, seq, d_model]`.
    ///
    /// Every expert sees every position, and those not chosen weigh 0: the same operations
    /// whatever the input, as recording a graph needs.
    pub fn forward(&self, x: Tensor<3>, taps: &mut Taps) -> Tensor<3> {
        let read = taps.begin(format_args!("router"), x.clone());
        let weights = softmax(taps.end(self.router.forward(read)), 2); // [batch, seq, experts]
        let chosen = weights.clone().topk(self.active, 2); // [batch, seq, active]
        let least = chosen.clone().narrow(2, self.active - 1, 1); // [batch, seq, 1]
        let out = weights.clone().lower(least.expand(weights.dims()));
        let weights = weights.mask_fill(out, 0.0) / chosen.sum_dim(2);
        let parts = self.experts.iter().enumerate().map(|(index, expert)| {
            let read = taps.begin(format_args!("experts.{index}"), x.clone());
            let written = expert.forward(read, taps);
            taps.end(written) * weights.clone().narrow(2, index, 1)
        });
        parts.reduce(|sum, part| sum + part).unwrap_or(x)
    }
}
