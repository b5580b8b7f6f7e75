//! Products whose terms are added up one after the other, a few at a time.
//!
//! Kernels add the terms of a product in orders of their own; float32 rounds each of them
//! otherwise. How far that carries a model is measured by a pass in the order that rounds most: a
//! partial sum of nearly all terms takes every further one.

use std::cell::Cell;

use burn::tensor::Tensor;

/// Terms that are added at once: so few that the sum of sums rounds as often as one of terms, and
/// enough that a pass takes a few times as long as another and no more.
const TERMS: usize = 4;

thread_local! {
    static ON: Cell<bool> = const { Cell::new(false) };
}

/// What `run` gives when every product of this thread with a weight
/// ([`linear`](super::linear), [`tied`](super::tied)) is added up in sequence.
pub fn in_sequence<T>(run: impl FnOnce() -> T) -> T {
    /// Ends it, also where `run` panics.
    struct Until(bool);
    impl Drop for Until {
        fn drop(&mut self) {
            ON.set(self.0);
        }
    }
    let _until = Until(ON.replace(true));
    run()
}

/// Whether products are added up in sequence.
pub(super) fn is_on() -> bool {
    ON.get()
}

/// `x · weight`: `[…, d_in]` by what `part` gives of its rows from one to another,
/// `[terms, d_out]`.
pub(super) fn product<const D: usize>(
    x: Tensor<D>,
    part: impl Fn(usize, usize) -> Tensor<2>,
) -> Tensor<D> {
    let mut shape = x.dims();
    let d_in = shape[D - 1];
    let rows: usize = shape[..D - 1].iter().product();
    let x = x.reshape([rows, d_in]);
    let terms = (0..d_in).step_by(TERMS).map(|from| {
        let count = TERMS.min(d_in - from);
        x.clone().narrow(1, from, count).matmul(part(from, count))
    });
    // There is a term: no layer is without inputs.
    let sum = terms.reduce(|sum, term| sum + term);
    let sum = sum.unwrap_or_else(|| x.matmul(part(0, d_in)));
    shape[D - 1] = sum.dims()[1];
    sum.reshape(shape)
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::kernels;

    #[test]
    fn the_product_is_the_same_and_rounds_otherwise() {
        let device = Device::default();
        let row = |count: i64, by: f32| {
            let numbers = Tensor::<1, burn::tensor::Int>::arange(0..count, &device).float();
            (numbers * by).sin()
        };
        let x = row(6 * 1000, 0.37).reshape([2, 3, 1000]);
        let weight = row(1000 * 5, 0.11).reshape([1000, 5]);
        let bias = Some(row(5, 1.0));
        let plain = kernels::linear(x.clone(), weight.clone(), bias.clone());
        let other = in_sequence(|| kernels::linear(x.clone(), weight.clone(), bias));
        assert_eq!(other.dims(), [2, 3, 5]);
        let off: f32 = (plain - other).abs().max().into_scalar();
        assert!(off > 0.0 && off < 1e-4, "{off}");
        let table = weight.transpose();
        let plain = kernels::tied(x.clone(), table.clone());
        let other = in_sequence(|| kernels::tied(x.clone(), table.clone()));
        let off: f32 = (plain - other).abs().max().into_scalar();
        assert!(off > 0.0 && off < 1e-4, "{off}");
        assert!(!is_on());
    }
}
