//! Weights that all matter.

use burn::module::{ModuleMapper, Param};
use burn::tensor::{Distribution, Tensor};

/// Adds 0.05 to 0.45 to every weight, so that none is 0 or 1 everywhere: a lost one shows.
pub struct Stir;

impl ModuleMapper for Stir {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|tensor| {
            let noise = Distribution::Uniform(0.05, 0.45);
            let noise = Tensor::random(tensor.dims(), noise, &tensor.device());
            tensor + noise
        })
    }
}
