//! What runs the passes of a generation.

use burn::tensor::Tensor;

use crate::batch::Batch;
use crate::blocks::cache::Cache;
use crate::blocks::taps::Taps;
use crate::error::{Error, Result};
use crate::model::Model;

/// A model's own network, or what computes the same elsewhere: its exported files.
pub trait Engine {
    /// What an encoder makes of `source`, `[rows, source, d_model]`.
    ///
    /// # Errors
    /// When it fails.
    fn encode(&self, source: &Batch) -> Result<Tensor<3>>;

    /// The scores of the tokens after the last ones of `batch`, `[rows, 1, vocab]`, and the cache
    /// with them.
    ///
    /// # Errors
    /// When it fails.
    fn decode(&self, batch: Batch) -> Result<(Tensor<3>, Option<Cache>)>;

    /// Whether it writes keys and values into the places that a cache has free, and needs nothing
    /// of an encoder that the cache has keys of.
    fn in_place(&self) -> bool;
}

impl Engine for Model {
    fn encode(&self, source: &Batch) -> Result<Tensor<3>> {
        Ok(self.network.read(source, &mut Taps::off()).state)
    }

    fn decode(&self, batch: Batch) -> Result<(Tensor<3>, Option<Cache>)> {
        let output = self.network.forward(batch, &mut Taps::off());
        let no_head = || Error::Input(format!("a {} model without a head", self.family()));
        Ok((output.logits.ok_or_else(no_head)?, output.cache))
    }

    fn in_place(&self) -> bool {
        true
    }
}
