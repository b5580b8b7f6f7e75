//! The norm of all gradients together, which clipping is by.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;
use burn_optim::GradientsParams;

/// The Euclidean norm of all gradients of `module` taken as one vector, `[1]`; `None` where there
/// are none.
pub(crate) fn global_norm<M: Module>(module: &M, gradients: &GradientsParams) -> Option<Tensor<1>> {
    let mut visitor = Squares {
        gradients,
        sum: None,
    };
    module.visit(&mut visitor);
    visitor.sum.map(Tensor::sqrt)
}

/// What to multiply gradients of norm `norm` with so that it is at most `limit`, `[1]`.
pub(crate) fn factor(norm: Tensor<1>, limit: f64) -> Tensor<1> {
    // Of no gradient at all infinity, and then 1.
    norm.recip().mul_scalar(limit).clamp_max(1.0)
}

struct Squares<'a> {
    gradients: &'a GradientsParams,
    sum: Option<Tensor<1>>, // [1]
}

impl ModuleVisitor for Squares<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.get::<D>(param.id) {
            // By rows first: flex adds the parts of one sum over four million values in the order
            // its threads finish, and a resumed run must clip by the same norm. Then as one row:
            // a sum over everything is three kernels on a card, over an axis it is one.
            let rows = gradient.square().sum_dim(D - 1);
            let squares = rows.reshape([1, -1]).sum_dim(1).reshape([1]);
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
        let norm = global_norm(&module, &gradients).unwrap();
        assert_eq!(norm.into_scalar::<f32>(), 9.0);
        assert!(global_norm(&module, &GradientsParams::new()).is_none());
    }

    #[test]
    fn only_what_is_too_long_is_shortened() {
        let device = Device::flex();
        let norms = Tensor::from_floats([4.0, 0.5, 0.0, 1.0], &device);
        let factors = factor(norms, 1.0).into_data();
        assert_eq!(factors.as_slice::<f32>().unwrap(), [0.25, 1.0, 1.0, 1.0]);
    }
}
