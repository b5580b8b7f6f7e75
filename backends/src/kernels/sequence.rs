//! Products and means whose terms are added up one after the other.
//!
//! Kernels add the terms of a sum in orders of their own; float32 rounds each of them
//! otherwise. How far that carries a model is measured by a pass in the order that rounds most: a
//! partial sum of nearly all terms takes every further one (Higham, Accuracy and Stability of
//! Numerical Algorithms, 2002, 4.2).

use std::cell::Cell;

use burn::tensor::{DType, Tensor, TensorData};

#[cfg(feature = "flex")]
use rayon::prelude::*;

#[cfg(feature = "flex")]
use super::parallel::wide;

thread_local! {
    static ON: Cell<Option<Sums>> = const { Cell::new(None) };
}

/// Which sums are added up in sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sums {
    /// Every product with a weight ([`linear`](super::linear), [`tied`](super::tied)).
    Products,
    /// Those, and every norm's mean ([`mean`](super::mean)).
    All,
}

/// What `run` gives when these `sums` of this thread are added up in sequence; as always where it
/// is `None`.
pub fn in_sequence<T>(sums: Option<Sums>, run: impl FnOnce() -> T) -> T {
    /// Ends it, also where `run` panics.
    struct Until(Option<Sums>);
    impl Drop for Until {
        fn drop(&mut self) {
            ON.set(self.0);
        }
    }
    let _until = Until(ON.replace(sums));
    run()
}

/// Whether products are added up in sequence.
pub(super) fn is_on() -> bool {
    ON.get().is_some()
}

/// Whether means are.
pub(super) fn of_means() -> bool {
    ON.get() == Some(Sums::All)
}

/// `x · weight`: `[…, d_in]` by `[d_in, d_out]`.
pub(super) fn product<const D: usize>(x: Tensor<D>, weight: Tensor<2>) -> Tensor<D> {
    let d_out = weight.dims()[1];
    by(x, d_out, |x| {
        exactly(x, &weight, false).unwrap_or_else(|| roughly(x.clone(), weight.clone()))
    })
}

/// `x · tableᵀ`: `[…, d_in]` by `[d_out, d_in]`.
pub(super) fn tied<const D: usize>(x: Tensor<D>, table: Tensor<2>) -> Tensor<D> {
    let d_out = table.dims()[0];
    by(x, d_out, |x| {
        exactly(x, &table, true).unwrap_or_else(|| roughly(x.clone(), table.clone().transpose()))
    })
}

/// `product` of the rows of `x`: `[rows, d_in] -> [rows, d_out]`.
fn by<const D: usize>(
    x: Tensor<D>,
    d_out: usize,
    product: impl FnOnce(&Tensor<2>) -> Tensor<2>,
) -> Tensor<D> {
    let mut shape = x.dims();
    let rows: usize = shape[..D - 1].iter().product();
    let y = product(&x.reshape([rows, shape[D - 1]]));
    shape[D - 1] = d_out;
    y.reshape(shape)
}

/// The mean of each row: `[…, width] -> […, 1]`. An error of it is one of the whole row, which no
/// average over a row's values makes smaller.
pub(super) fn mean<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let width = x.dims()[D - 1];
    let ones = Tensor::ones([width, 1], (&x.device(), x.dtype()));
    product(x, ones) / width as f64
}

/// One term after the other, by `weight` or, where it is a table, by what that is transposed;
/// `None` of other types than float32.
fn exactly(x: &Tensor<2>, weight: &Tensor<2>, table: bool) -> Option<Tensor<2>> {
    if x.dtype() != DType::F32 || weight.dtype() != DType::F32 {
        return None;
    }
    let ([rows, d_in], dims) = (x.dims(), weight.dims());
    let d_out = if table { dims[0] } else { dims[1] };
    let device = x.device();
    let x: Vec<f32> = x.to_data().try_into_vec().ok()?;
    let mut y = vec![0.0f32; rows * d_out];
    // Some columns at a time: a vocabulary's table is large, and is not copied whole.
    for from in (0..d_out).step_by(AT_ONCE) {
        let count = AT_ONCE.min(d_out - from);
        let axis = usize::from(!table);
        let some = weight.clone().narrow(axis, from, count).into_data();
        let some: &[f32] = some.as_slice().ok()?;
        let block = |number: usize| {
            let first = number * COLUMNS;
            let mut terms = vec![[0.0f32; COLUMNS]; d_in];
            for (term, all) in terms.iter_mut().enumerate() {
                for (column, weight_of) in (first..count).zip(all) {
                    *weight_of = if table {
                        some[column * d_in + term]
                    } else {
                        some[term * count + column]
                    };
                }
            }
            let mut y = vec![[0.0f32; COLUMNS]; rows];
            #[cfg(feature = "flex")]
            wide(
                #[inline(always)]
                || add(&x, &terms, &mut y),
            );
            #[cfg(not(feature = "flex"))]
            add(&x, &terms, &mut y);
            y
        };
        let blocks = 0..count.div_ceil(COLUMNS);
        #[cfg(feature = "flex")]
        let blocks: Vec<_> = blocks.into_par_iter().map(block).collect();
        #[cfg(not(feature = "flex"))]
        let blocks: Vec<_> = blocks.map(block).collect();
        for (number, block) in blocks.iter().enumerate() {
            let first = number * COLUMNS;
            let columns = COLUMNS.min(count - first);
            for (row, sums) in y.chunks_mut(d_out).zip(block) {
                row[from + first..][..columns].copy_from_slice(&sums[..columns]);
            }
        }
    }
    let y = TensorData::new(y, [rows, d_out]);
    Some(Tensor::from_data(y, (&device, DType::F32)))
}

/// The sums of each row of `x` over `terms`, some columns of the weights.
#[inline(always)]
fn add(x: &[f32], terms: &[[f32; COLUMNS]], y: &mut [[f32; COLUMNS]]) {
    for (x, y) in x.chunks(terms.len().max(1)).zip(y) {
        let mut sums = [0.0f32; COLUMNS];
        for (x, weights) in x.iter().zip(terms) {
            for (sum, weight) in sums.iter_mut().zip(weights) {
                *sum += x * weight;
            }
        }
        *y = sums;
    }
}

/// Columns that are read at once.
const AT_ONCE: usize = 2048;

/// Columns whose sums a processor holds while it adds to them.
const COLUMNS: usize = 32;

/// Some terms at once. A type of 16 bits rounds each partial sum far more than the float32 in which
/// runtimes keep those.
fn roughly(x: Tensor<2>, weight: Tensor<2>) -> Tensor<2> {
    const TERMS: usize = 64;
    let d_in = weight.dims()[0];
    let terms = (0..d_in).step_by(TERMS).map(|from| {
        let count = TERMS.min(d_in - from);
        let weight = weight.clone().narrow(0, from, count);
        x.clone().narrow(1, from, count).matmul(weight)
    });
    let sum = terms.reduce(|sum, term| sum + term);
    // There is a term: no layer is without inputs.
    sum.unwrap_or_else(|| x.matmul(weight))
}

// Beside a backend that adds in another order.
#[cfg(all(test, feature = "flex"))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::kernels;

    #[test]
    fn the_product_is_the_same_and_rounds_otherwise() {
        let device = crate::device("flex").unwrap();
        let row = |count: i64, by: f32| {
            let numbers = Tensor::<1, burn::tensor::Int>::arange(0..count, &device).float();
            (numbers * by).sin()
        };
        let x = row(6 * 1000, 0.37).reshape([2, 3, 1000]);
        let weight = row(1000 * 5, 0.11).reshape([1000, 5]);
        let bias = Some(row(5, 1.0));
        let plain = kernels::linear(x.clone(), weight.clone(), bias.clone());
        let other = in_sequence(Some(Sums::All), || {
            kernels::linear(x.clone(), weight.clone(), bias)
        });
        assert_eq!(other.dims(), [2, 3, 5]);
        let off: f32 = (plain - other).abs().max().into_scalar();
        assert!(off > 0.0 && off < 1e-4, "{off}");
        let table = weight.transpose();
        let plain = kernels::tied(x.clone(), table.clone());
        let other = in_sequence(Some(Sums::All), || kernels::tied(x.clone(), table.clone()));
        let off: f32 = (plain - other).abs().max().into_scalar();
        assert!(off > 0.0 && off < 1e-4, "{off}");
        assert!(!is_on());
    }

    #[test]
    fn terms_are_added_one_by_one() {
        let device = crate::device("flex").unwrap();
        // Two million and more take no sixteenth.
        let small = vec![0.0625f32; 400];
        let values = [vec![2e6], small].concat();
        let x = Tensor::<1>::from_floats(values.as_slice(), &device).reshape([1, 401]);
        let one = Tensor::<2>::ones([401, 1], &device);
        let sum =
            |x: &Tensor<2>| kernels::linear(x.clone(), one.clone(), None).into_scalar::<f32>();
        assert_eq!(in_sequence(Some(Sums::All), || sum(&x)), 2e6);
        assert_eq!(
            in_sequence(Some(Sums::All), || sum(&x.clone().flip([1]))),
            2e6 + 25.0
        );
        // Columns of several pieces, and rows of each.
        let x = Tensor::<1, burn::tensor::Int>::arange(0..6, &device).float();
        let x = x.reshape([2, 3]);
        let weight = Tensor::<1, burn::tensor::Int>::arange(0..3 * 600, &device).float();
        let weight = weight.reshape([3, 600]);
        let plain = x.clone().matmul(weight.clone());
        let other = in_sequence(Some(Sums::All), || {
            kernels::linear(x.clone(), weight.clone(), None)
        });
        assert_eq!(plain.into_data(), other.into_data());
    }
}
