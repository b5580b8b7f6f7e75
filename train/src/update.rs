//! One update of the weights: gradients of some passes, added up, clipped and applied.
//!
//! Nothing is read from the device before all of it is on its way there: the loss and the norm come
//! back together, once an update.

use burn::tensor::Tensor;
use burn_optim::{GradientsAccumulator, GradientsParams};
use fluxo_models::Network;

use crate::clip;
use crate::error::{Error, Result};
use crate::optimizer::PathAdamW;
use crate::task::Loss;

/// The gradients of some passes through one network.
pub(crate) struct Gradients {
    sum: GradientsAccumulator<Network>,
    loss: Option<Tensor<1>>, // [1]
    tokens: u64,
}

/// What one update measured.
pub(crate) struct Measured {
    /// The mean over all answers of all passes, in nats.
    pub(crate) loss: f32,
    /// The Euclidean norm of the gradient, before it was clipped.
    pub(crate) gradient_norm: f32,
    /// How many positions the network read.
    pub(crate) tokens: u64,
}

impl Gradients {
    /// Of no pass yet.
    pub(crate) fn none() -> Self {
        Self {
            sum: GradientsAccumulator::new(),
            loss: None,
            tokens: 0,
        }
    }

    /// Adds those of `loss`, which `network` gave and which counts for `share` of the update.
    pub(crate) fn add(&mut self, network: &Network, loss: Loss, share: f64) {
        let mean = loss.mean.mul_scalar(share);
        let gradients = GradientsParams::from_grads(mean.backward(), network);
        self.sum.accumulate(network, gradients);
        self.tokens += loss.tokens;
        let mean = mean.inner();
        self.loss = Some(match self.loss.take() {
            Some(sum) => sum + mean,
            None => mean,
        });
    }

    /// `network` after a step of `rate` along them, their norm at most `limit` (0: no limit).
    ///
    /// # Errors
    /// When the device does not give what was measured.
    pub(crate) fn apply(
        mut self,
        network: Network,
        optimizer: &mut PathAdamW,
        rate: f64,
        limit: f64,
    ) -> Result<(Network, Measured)> {
        let gradients = self.sum.grads();
        let norm = clip::global_norm(&network, &gradients);
        let scale = norm
            .as_ref()
            .filter(|_| limit > 0.0)
            .map(|norm| clip::factor(norm.clone(), limit));
        let network = optimizer.step(rate, network, gradients, scale);
        // Without a gradient there is no norm.
        let measured: Vec<_> = self.loss.into_iter().chain(norm).collect();
        let both = if measured.is_empty() {
            Vec::new()
        } else {
            values(Tensor::cat(measured, 0))?
        };
        let at = |place: usize| both.get(place).copied().unwrap_or_default();
        let measured = Measured {
            loss: at(0),
            gradient_norm: at(1),
            tokens: self.tokens,
        };
        Ok((network, measured))
    }
}

/// The values of `tensor`, `[n]`.
fn values(tensor: Tensor<1>) -> Result<Vec<f32>> {
    let data = tensor.try_into_data();
    let data = data.map_err(|e| Error::Device(e.to_string()))?;
    Ok(data.iter().collect())
}

/// The one value of `tensor`.
pub(crate) fn value(tensor: Tensor<1>) -> Result<f32> {
    tensor
        .try_into_scalar()
        .map_err(|e| Error::Device(e.to_string()))
}
