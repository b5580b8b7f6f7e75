//! Functions of a value that are computed by approximations.
//!
//! Runtimes have exponentials of their own: rten's `Sigmoid` is tested to 4 units of the last place
//! and its `Erf` to 6.6e-7, tract's sigmoid ends at 4.8e-7 and at 1 less that much. That is of the
//! factor which an activation multiplies `x` by, between 0 and 1, however small `x` makes the
//! product; attention's weights are exponentials too. How far such carries a model is measured by a pass
//! in which every activation and every exponential errs so.

use std::cell::Cell;

use burn::tensor::{DType, Device, Tensor, TensorData};

thread_local! {
    /// By how many units of the last place of 1 the factors err.
    static UNITS: Cell<f64> = const { Cell::new(0.0) };
}

/// What `run` gives when the factor of every activation of this thread ([`coarsened`]) errs by so
/// many `units` of the last place of 1, towards one half, and every exponential of attention too.
pub fn coarse<T>(units: f64, run: impl FnOnce() -> T) -> T {
    /// Ends it, also where `run` panics.
    struct Until(f64);
    impl Drop for Until {
        fn drop(&mut self) {
            UNITS.set(self.0);
        }
    }
    let _until = Until(UNITS.replace(units));
    run()
}

/// `function` of `x`, which is `x` times a factor between 0 and 1, as a coarse pass has it.
pub fn coarsened<const D: usize>(
    x: Tensor<D>,
    function: impl FnOnce(Tensor<D>) -> Tensor<D>,
) -> Tensor<D> {
    match error(x.dtype()) {
        None => function(x),
        Some(error) => {
            let off = x.clone().abs() * error;
            function(x) - off
        }
    }
}

/// What is added to the scores of `keys` keys in a coarse pass, `[1, 1, 1, keys]`: their exponentials
/// err by as much, one upwards and the next downwards, as an equal error of all would not show.
pub(super) fn of_scores(keys: usize, device: &Device, dtype: DType) -> Option<Tensor<4>> {
    let error = error(dtype)?;
    let errors = (0..keys).map(|key| if key % 2 == 0 { error } else { -error });
    let errors = TensorData::new(errors.collect(), [1, 1, 1, keys]);
    Some(Tensor::from_data(errors, (device, dtype)))
}

/// So many units of the last place of 1; `None` in a pass that is not coarse.
fn error(dtype: DType) -> Option<f64> {
    let units = UNITS.get();
    (units != 0.0).then(|| units * unit(dtype))
}

/// A unit of the last place of 1 in `dtype`.
pub fn unit(dtype: DType) -> f64 {
    let digits = match dtype {
        DType::F64 => 52,
        DType::F16 => 10,
        DType::BF16 => 7,
        _ => 23,
    };
    2f64.powi(-digits)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn neighbours_scores_err_to_either_side() {
        let device = Device::default();
        assert!(of_scores(2, &device, DType::F32).is_none());
        let scores = coarse(2.0, || of_scores(3, &device, DType::F32)).unwrap();
        let unit = 2f32.powi(-23);
        let scores: Vec<f32> = scores.into_data().iter().collect();
        assert_eq!(scores, [2.0 * unit, -2.0 * unit, 2.0 * unit]);
    }

    #[test]
    fn factors_err_towards_one_half() {
        let device = Device::default();
        let x = Tensor::<1>::from_floats([-8.0, 0.0, 8.0], &device);
        let y = Tensor::<1>::from_floats([0.0, 0.0, 8.0], &device);
        let given = || {
            let y = coarsened(x.clone(), |_| y.clone());
            y.into_data().iter::<f32>().collect::<Vec<_>>()
        };
        assert_eq!(given(), [0.0, 0.0, 8.0]);
        let unit = 2f32.powi(-23);
        assert_eq!(coarse(2.0, given), [-16.0 * unit, 0.0, 8.0 - 16.0 * unit]);
        assert_eq!(given(), [0.0, 0.0, 8.0]);
    }
}
