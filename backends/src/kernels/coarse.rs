//! Functions of a value that are computed by approximations.
//!
//! Runtimes have exponentials of their own: rten's `Sigmoid` is tested to 4 units of the last place
//! and its `Erf` to 6.6e-7, tract's sigmoid ends at 4.8e-7 and at 1 less that much. That is of the
//! factor which an activation multiplies `x` by, between 0 and 1, however small `x` makes the
//! product. How far such carries a model is measured by a pass in which every activation errs so.

use std::cell::Cell;

use burn::tensor::{DType, Tensor};

thread_local! {
    /// By how many units of the last place of 1 the factors err.
    static UNITS: Cell<f64> = const { Cell::new(0.0) };
}

/// What `run` gives when the factor of every activation of this thread ([`coarsened`]) errs by so
/// many `units` of the last place of 1, towards one half.
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
    let units = UNITS.get();
    if units == 0.0 {
        return function(x);
    }
    let digits = match x.dtype() {
        DType::F64 => 52,
        DType::F16 => 10,
        DType::BF16 => 7,
        _ => 23,
    };
    let off = x.clone().abs() * (units * 2f64.powi(-digits));
    function(x) - off
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

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
