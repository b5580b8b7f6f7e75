//! The norm of all gradients together, which clipping is by.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;
use burn_optim::GradientsParams;

use crate::error::{Error, Result};

/// The Euclidean norm of all gradients of `module` taken as one vector, 0 where there are none.
///
/// # Errors
/// When the device does not give the value.
pub(crate) fn global_norm<M: Module>(module: &M, gradients: &GradientsParams) -> Result<f32> {
    let mut visitor = Squares {
        gradients,
        sum: None,
    };
    module.visit(&mut visitor);
    match visitor.sum {
        Some(sum) => scalar(sum.sqrt()),
        None => Ok(0.0),
    }
}

/// What to multiply gradients of norm `norm` with so that it is at most `limit` (0: no limit).
pub(crate) fn factor(norm: f32, limit: f64) -> f32 {
    if limit > 0.0 && f64::from(norm) > limit {
        (limit / f64::from(norm)) as f32
    } else {
        1.0
    }
}

/// The one value of `tensor`.
pub(crate) fn scalar(tensor: Tensor<1>) -> Result<f32> {
    tensor
        .try_into_scalar()
        .map_err(|e| Error::Device(e.to_string()))
}

struct Squares<'a> {
    gradients: &'a GradientsParams,
    sum: Option<Tensor<1>>, // [1]
}

impl ModuleVisitor for Squares<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.get::<D>(param.id) {
            // By rows first: flex adds the parts of one sum over four million values in the order
            // its threads finish, and a resumed run must clip by the same norm.
            let squares = gradient.square().sum_dim(D - 1).sum(); // [1]
            self.sum = Some(match self.sum.take() {
                Some(sum) => sum + squares,
                None => squares,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use burn::nn::LinearConfig;
    use burn::tensor::Device;

    #[test]
    fn the_norm_is_over_all_tensors_and_not_one_by_one() {
        let device = Device::flex();
        let module = LinearConfig::new(1, 2).init(&device);
        let mut gradients = GradientsParams::new();
        gradients.register::<2>(
            module.weight.id,
            Tensor::from_data([[2.0f32, 4.0]], &device),
        );
        let bias = module.bias.as_ref().unwrap().id;
        gradients.register::<1>(bias, Tensor::from_data([5.0f32, 6.0], &device));
        // 4 + 16 + 25 + 36 = 81, exact in float32.
        assert_eq!(global_norm(&module, &gradients).unwrap(), 9.0);
        assert_eq!(global_norm(&module, &GradientsParams::new()).unwrap(), 0.0);
    }

    #[test]
    fn only_what_is_too_long_is_shortened() {
        assert_eq!(factor(4.0, 1.0), 0.25);
        assert_eq!(factor(0.5, 1.0), 1.0);
        assert_eq!(factor(4.0, 0.0), 1.0);
    }
}
