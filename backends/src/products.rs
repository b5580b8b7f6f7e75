//! What the matrix products of a device really compute with, found by multiplying.
//!
//! A card's fast units round the factors of a float32 product to fewer digits (TF32 keeps 10 of 23,
//! NVIDIA A100 whitepaper 2020), and no property of a device says whether a product takes them.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use burn::tensor::{DType, Device, FloatDType, Tensor, TensorData};
use serde::Serialize;

use crate::kernels::unit;

/// The products that are tried, `[batch, rows, inner, columns]`: kernels are chosen by shape. One row
/// and few, a square one, attention's many, and one that is large enough for the fastest units.
const SHAPES: [[usize; 4]; 5] = [
    [1, 1, 128, 128],
    [1, 8, 64, 64],
    [1, 128, 128, 128],
    [8, 32, 64, 32],
    [1, 512, 256, 256],
];

/// What the products of tensors of one type compute with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Products {
    /// The tensors' type.
    #[serde(serialize_with = "name_of")]
    pub dtype: FloatDType,
    /// Binary digits behind the leading one that the factors keep, in the shape that keeps fewest:
    /// 23 in float32, 10 in TF32 and float16, 7 in bfloat16.
    pub digits: u32,
    /// Whether sums keep float32's digits.
    pub sums_in_f32: bool,
}

fn name_of<S: serde::Serializer>(dtype: &FloatDType, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(DType::from(*dtype).name())
}

impl Products {
    /// A unit of the last place of 1 that outputs are coarse by: the type's own, or that of the
    /// factors where they keep fewer digits. Rounding a factor errs by half a unit at most, and it
    /// is the only rounding that is coarser; so it is half of theirs.
    pub fn unit(&self) -> f64 {
        let factors = 2f64.powi(-(self.digits as i32) - 1);
        unit(self.dtype.into()).max(factors)
    }

    /// Whether they are as exact as the type promises, sums in float32.
    pub fn full(&self) -> bool {
        self.digits >= digits(self.dtype) && self.sums_in_f32
    }

    /// What the factors' type is called.
    pub fn factors(&self) -> String {
        match (self.dtype, self.digits) {
            (_, 23..) => "float32".to_string(),
            (FloatDType::F32, 10) => "TF32".to_string(),
            (FloatDType::F16 | FloatDType::Flex32, 10) => "float16".to_string(),
            (_, 7) => "bfloat16".to_string(),
            (_, digits) => format!("{digits} binary digits"),
        }
    }
}

/// "float32", "float32 with products in TF32", "float16 with sums in float16".
impl fmt::Display for Products {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let own = digits(self.dtype);
        f.write_str(DType::from(self.dtype).name())?;
        if self.digits < own {
            write!(f, " with products in {}", self.factors())?;
        }
        match (self.sums_in_f32, own) {
            (true, 23..) => Ok(()),
            (true, _) => f.write_str(" with sums in f32"),
            (false, _) => f.write_str(" with sums coarser than f32"),
        }
    }
}

/// What products of `dtype` compute with on `device`, which has been probed
/// ([`device`](crate::device)); `None` where the device has no such type. Each is tried once in a
/// process.
pub fn products(device: &Device, dtype: FloatDType) -> Option<Products> {
    type Known = (Device, FloatDType, Products);
    static KNOWN: Mutex<Vec<Known>> = Mutex::new(Vec::new());
    if !device.supports_dtype(dtype) || matches!(dtype, FloatDType::F64) {
        return None;
    }
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let same = |known: &&Known| known.0 == *device && known.1 == dtype;
    if let Some((_, _, products)) = known.iter().find(same) {
        return Some(*products);
    }
    let products = tried(device, dtype, &|a, b| a.matmul(b));
    known.push((device.clone(), dtype, products));
    Some(products)
}

/// A matrix product, as it is tried.
type Product<'a> = &'a dyn Fn(Tensor<3>, Tensor<3>) -> Tensor<3>;

fn tried(device: &Device, dtype: FloatDType, product: Product<'_>) -> Products {
    let own = digits(dtype);
    let place = (device, dtype);
    let digits = SHAPES.map(|shape| kept(place, shape, product));
    let mut shapes = SHAPES.into_iter();
    Products {
        dtype,
        digits: digits.into_iter().min().unwrap_or(own),
        sums_in_f32: shapes.all(|shape| sums(place, shape, product)),
    }
}

/// Where, and in what type.
type Place<'a> = (&'a Device, FloatDType);

/// How many digits the factors of a product keep: `1 + 2⁻ᵏ` for every `k` goes through a product
/// with ones on the diagonal, on either side.
fn kept(place: Place<'_>, [batch, rows, inner, columns]: [usize; 4], product: Product<'_>) -> u32 {
    let own = digits(place.1);
    let value = |at: usize| 1.0 + 2f32.powi(-(1 + (at as u32 % own) as i32));
    let one = |on: bool| f32::from(u8::from(on));
    let left = of(place, [batch, rows, inner], |[_, i, j]| value(i + j));
    let diagonal = of(place, [batch, inner, columns], |[_, i, j]| one(i == j));
    let first = survived(own, &product(left, diagonal), |[_, i, j]| {
        (j < inner).then(|| i + j)
    });

    let diagonal = of(place, [batch, rows, inner], |[_, i, j]| one(i == j));
    let right = of(place, [batch, inner, columns], |[_, i, j]| value(i + j));
    let second = survived(own, &product(diagonal, right), |[_, i, j]| {
        (i < inner).then(|| i + j)
    });
    first.min(second)
}

/// The largest `k` up to which every `1 + 2⁻ᵏ` came through; `at` says which stood where.
fn survived(own: u32, product: &Tensor<3>, at: impl Fn([usize; 3]) -> Option<usize>) -> u32 {
    let found = values(product);
    let lost = places(product.dims())
        .zip(found)
        .filter_map(|(place, found)| {
            let k = 1 + at(place)? as u32 % own;
            (found != 1.0 + 2f32.powi(-(k as i32))).then_some(k)
        });
    lost.min().map_or(own, |first| first - 1)
}

/// Whether sums keep float32's digits. Factors of few digits, exact in every type, have products
/// whose sum float32 holds exactly in any order and the tensors' own type does not; signs are so
/// that the sum itself is small, and exact in that type again.
fn sums(place: Place<'_>, [batch, rows, inner, columns]: [usize; 4], product: Product<'_>) -> bool {
    // Products of multiples of 1/16 in [1, 2): multiples of 1/256 under 4. The sums of 256 of them
    // need 18 digits; half precision has 11, bfloat16 8.
    let factor = |at: usize| 1.0 + (at * 7 % 16) as f32 / 16.0;
    let mut total = 0f32;
    let signs: Vec<f32> = (0..inner)
        .map(|at| {
            let product = factor(at) * factor(at + 3);
            let sign = if total > 0.0 { -1.0 } else { 1.0 };
            total += sign * product;
            sign
        })
        .collect();
    // Shuffled, so that partial sums grow: first all of one sign.
    let mut order: Vec<usize> = (0..inner).collect();
    order.sort_by(|a, b| signs[*b].total_cmp(&signs[*a]));
    let exact = total;
    let left = of(place, [batch, rows, inner], |[_, _, j]| {
        signs[order[j]] * factor(order[j])
    });
    let right = of(place, [batch, inner, columns], |[_, i, _]| {
        factor(order[i] + 3)
    });
    // The result is rounded once more, to the type; coarser sums are off by far more than a unit.
    let allowed = unit(place.1.into()) as f32 * exact.abs().max(1.0);
    let found = values(&product(left, right));
    found.iter().all(|sum| (sum - exact).abs() <= allowed)
}

fn of(
    (device, dtype): Place<'_>,
    dims: [usize; 3],
    value: impl Fn([usize; 3]) -> f32,
) -> Tensor<3> {
    let values: Vec<f32> = places(dims).map(value).collect();
    let dtype = DType::from(dtype);
    Tensor::from_data(TensorData::new(values, dims), (device, dtype))
}

fn values(x: &Tensor<3>) -> Vec<f32> {
    x.to_data().iter::<f32>().collect()
}

/// Every place of a tensor, in row-major order.
fn places([a, b, c]: [usize; 3]) -> impl Iterator<Item = [usize; 3]> {
    (0..a).flat_map(move |i| (0..b).flat_map(move |j| (0..c).map(move |k| [i, j, k])))
}

fn digits(dtype: FloatDType) -> u32 {
    // The unit is a power of two.
    -unit(dtype.into()).log2() as u32
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// `x` with so many digits.
    fn rounded(x: f32, digits: u32) -> f32 {
        let half = 1u32 << (22 - digits);
        let mask = !((1u32 << (23 - digits)) - 1);
        f32::from_bits((x.to_bits() + half) & mask)
    }

    fn each(x: &Tensor<3>, digits: u32) -> Tensor<3> {
        let values: Vec<f32> = values(x).into_iter().map(|x| rounded(x, digits)).collect();
        Tensor::from_data(TensorData::new(values, x.dims()), &x.device())
    }

    /// A product whose sums are rounded after every term.
    fn coarse(a: &Tensor<3>, b: &Tensor<3>, digits: u32) -> Tensor<3> {
        let ([batch, rows, inner], [_, _, columns]) = (a.dims(), b.dims());
        let (left, right) = (values(a), values(b));
        let sums = places([batch, rows, columns]).map(|[n, i, j]| {
            (0..inner).fold(0.0, |sum, k| {
                let term = left[(n * rows + i) * inner + k] * right[(n * inner + k) * columns + j];
                rounded(sum + term, digits)
            })
        });
        let sums: Vec<f32> = sums.collect();
        Tensor::from_data(TensorData::new(sums, [batch, rows, columns]), &a.device())
    }

    fn found(product: Product<'_>) -> Products {
        tried(&Device::flex(), FloatDType::F32, product)
    }

    #[test]
    fn what_a_card_leaves_out_is_named() {
        let exact = found(&|a, b| a.matmul(b));
        assert!(exact.full() && exact.unit() == 2f64.powi(-23), "{exact:?}");
        assert_eq!(exact.to_string(), "f32");
        for (digits, name, unit) in [
            (10, "f32 with products in TF32", 2f64.powi(-11)),
            (7, "f32 with products in bfloat16", 2f64.powi(-8)),
            (16, "f32 with products in 16 binary digits", 2f64.powi(-17)),
        ] {
            let tf32 = found(&|a, b| each(&a, digits).matmul(each(&b, digits)));
            assert_eq!(
                (tf32.digits, tf32.sums_in_f32, tf32.full()),
                (digits, true, false)
            );
            assert_eq!((tf32.to_string().as_str(), tf32.unit()), (name, unit));
            // One factor alone is enough.
            let left = found(&|a, b| each(&a, digits).matmul(b));
            let right = found(&|a, b| a.matmul(each(&b, digits)));
            assert_eq!((left, right), (tf32, tf32));
        }
        let sums = found(&|a, b| coarse(&a, &b, 10));
        assert!(!sums.sums_in_f32 && !sums.full(), "{sums:?}");
    }

    #[test]
    fn a_shape_that_keeps_fewest_counts() {
        let large = found(&|a, b| match a.dims() {
            [_, 512, _] => each(&a, 10).matmul(b),
            _ => a.matmul(b),
        });
        assert_eq!(large.digits, 10);
    }

    #[test]
    fn halves_of_a_processor_say_what_they_sum_in() {
        let half = products(&Device::flex(), FloatDType::F16).unwrap();
        assert_eq!(half.digits, 10);
        assert_eq!(products(&Device::flex(), FloatDType::F64), None);
    }
}
