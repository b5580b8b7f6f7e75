//! Products whose terms are added up one after the other, a few at a time.
//!
//! Kernels add the terms of a product in orders of their own; float32 rounds each of them
//! otherwise. How far that carries a model is measured by a pass in the order that rounds most: a
//! partial sum of nearly all terms takes every further one.

use std::cell::Cell;

use burn::tensor::Tensor;

thread_local! {
    /// How many terms are added at once; 0 where a kernel's own order is taken.
    static TERMS: Cell<usize> = const { Cell::new(0) };
}

/// What `run` gives when every product of this thread with a weight
/// ([`linear`](super::linear), [`tied`](super::tied)) is added up in sequence, `terms` at once: with
/// few of them each sum rounds most, and a pass takes several times as long as another.
pub fn in_sequence<T>(terms: usize, run: impl FnOnce() -> T) -> T {
    /// Ends it, also where `run` panics.
    struct Until(usize);
    impl Drop for Until {
        fn drop(&mut self) {
            TERMS.set(self.0);
        }
    }
    let _until = Until(TERMS.replace(terms));
    run()
}

/// Whether products are added up in sequence.
pub(super) fn is_on() -> bool {
    TERMS.get() > 0
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
    let at_once = TERMS.get().max(1);
    let terms = (0..d_in).step_by(at_once).map(|from| {
        let count = at_once.min(d_in - from);
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
        let other = in_sequence(4, || kernels::linear(x.clone(), weight.clone(), bias));
        assert_eq!(other.dims(), [2, 3, 5]);
        let off: f32 = (plain - other).abs().max().into_scalar();
        assert!(off > 0.0 && off < 1e-4, "{off}");
        let table = weight.transpose();
        let plain = kernels::tied(x.clone(), table.clone());
        let other = in_sequence(4, || kernels::tied(x.clone(), table.clone()));
        let off: f32 = (plain - other).abs().max().into_scalar();
        assert!(off > 0.0 && off < 1e-4, "{off}");
        assert!(!is_on());
    }
}
