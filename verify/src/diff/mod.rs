//! How far two tensors lie apart, and where.

use burn::tensor::TensorData;

mod close;
mod decisions;
mod rounding;
mod sums;
pub mod tolerance;

use crate::values::{Values, both};

pub use close::AllClose;
pub use decisions::Decisions;
pub use rounding::{Off, Rounding};
use sums::Sums;

/// The measures of one output between two runners.
///
/// Where no number can be given (shapes differ, one side is NaN) the difference is infinite,
/// JSON's `null`, and [`note`](Self::note) says why.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The largest absolute difference.
    pub max_abs: f64,
    /// The largest relative difference: divided by the larger magnitude of the two values.
    pub max_rel: f64,
    /// `max_abs`, divided by the largest magnitude of either side where that is over 1: the
    /// measure that tolerances are for.
    pub scaled: f64,
    /// The index of the largest absolute difference.
    pub at: Vec<usize>,
    /// The cosine of the angle between the two, over what counts.
    pub cosine: f64,
    /// What the two would decide, over the last axis. For logits only.
    pub decisions: Option<Decisions>,
    /// What a number alone does not say: shapes, NaN, infinities, nothing to compare.
    pub note: Option<String>,
}

impl Difference {
    /// A difference that no number measures.
    pub(crate) fn unmeasured(note: String) -> Self {
        Self {
            max_abs: f64::INFINITY,
            max_rel: f64::INFINITY,
            scaled: f64::INFINITY,
            at: Vec::new(),
            cosine: f64::NAN,
            decisions: None,
            note: Some(note),
        }
    }
}

/// Compares `a` with `b` where `kept` is true (everywhere where it is `None`).
///
/// `logits` asks for the decisions over the last axis too. A NaN or an
/// infinity on one side only is an infinite difference; NaN on both sides is noted, and is a
/// difference where nothing else is left.
pub fn difference(
    a: &TensorData,
    b: &TensorData,
    kept: Option<&[bool]>,
    logits: bool,
) -> Difference {
    let shape = a.shape().as_slice();
    if shape != b.shape().as_slice() {
        return Difference::unmeasured(format!(
            "shapes differ: {shape:?} and {:?}",
            b.shape().as_slice()
        ));
    }
    let (left, right) = match (Values::of(a), Values::of(b)) {
        (Ok(left), Ok(right)) => (left, right),
        (Err(reason), _) | (_, Err(reason)) => return Difference::unmeasured(reason),
    };
    // Halves beside floats are one kind of number, integers beside floats are not.
    let (left_type, right_type) = (a.dtype(), b.dtype());
    let types = (left_type.is_float() != right_type.is_float())
        .then(|| format!("types differ: {left_type:?} and {right_type:?}"));
    let keeps = |i: usize| kept.is_none_or(|kept| kept[i]);
    let sums = both!((&left, &right), |x, y| Sums::of(x, y, kept));
    if sums.count == 0 && a.num_elements() > 0 {
        return Difference::unmeasured("the mask keeps no position: nothing was compared".into());
    }
    if sums.both_nan == sums.count && sums.count > 0 {
        return Difference::unmeasured(
            "every value is NaN on both sides: nothing was compared".into(),
        );
    }
    Difference {
        max_abs: sums.max_abs,
        max_rel: sums.max_rel,
        scaled: sums.max_abs / sums.magnitude.max(1.0),
        at: index(sums.at, shape),
        cosine: sums.cosine(),
        decisions: logits
            .then(|| Decisions::of(&left.wide(), &right.wide(), shape, keeps))
            .flatten(),
        note: match (sums.note(shape), types) {
            (Some(note), Some(types)) => Some(format!("{types}; {note}")),
            (note, types) => note.or(types),
        },
    }
}

/// The largest distance of two values that count, in units of what `close` allows them; infinite
/// where no number says it.
pub(crate) fn allclose_ratio(
    a: &TensorData,
    b: &TensorData,
    kept: Option<&[bool]>,
    close: AllClose,
) -> f64 {
    if a.shape() != b.shape() {
        return f64::INFINITY;
    }
    let (Ok(left), Ok(right)) = (Values::of(a), Values::of(b)) else {
        return f64::INFINITY;
    };
    let (left, right) = (left.wide(), right.wide());
    let counts = |i: &usize| kept.is_none_or(|kept| kept[*i]);
    let over = (0..left.len()).filter(counts);
    over.map(|i| close.allclose_ratio(left[i], right[i]))
        .fold(0.0, f64::max)
}

/// The index, one number an axis, of element `flat` in row-major order.
pub fn index(mut flat: usize, shape: &[usize]) -> Vec<usize> {
    let mut at = vec![0; shape.len()];
    for (axis, size) in shape.iter().enumerate().rev() {
        at[axis] = flat % (*size).max(1);
        flat /= (*size).max(1);
    }
    at
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn tensor(values: &[f64], shape: &[usize]) -> TensorData {
        TensorData::new(values.to_vec(), shape.to_vec())
    }

    #[test]
    fn measures_by_hand() {
        let a = tensor(&[3.0, 0.0, 4.0, 0.5], &[2, 2]);
        let b = tensor(&[3.0, 0.5, 3.0, 0.5], &[2, 2]);
        let found = difference(&a, &b, None, false);
        assert_eq!(found.max_abs, 1.0);
        assert_eq!(found.at, [1, 0]);
        // 0 against 0.5 is the largest relative difference: all of it.
        assert_eq!(found.max_rel, 1.0);
        assert_eq!(found.scaled, 0.25); // 1 / max(1, 4)
        // dot 9 + 0 + 12 + 0.25; norms √25.25 and √18.5
        let cosine = 21.25 / (25.25_f64.sqrt() * 18.5_f64.sqrt());
        assert!((found.cosine - cosine).abs() < 1e-15);
        assert_eq!((found.decisions, found.note), (None, None));
    }

    #[test]
    fn small_outputs_are_not_scaled_up() {
        let found = difference(&tensor(&[0.5], &[1]), &tensor(&[0.25], &[1]), None, false);
        assert_eq!((found.scaled, found.max_abs), (0.25, 0.25));
        assert_eq!(found.max_rel, 0.5);
    }

    #[test]
    fn only_kept_positions_count() {
        let a = tensor(&[1.0, 2.0, f64::NAN, 4.0], &[4]);
        let b = tensor(&[1.0, 2.0, 3.0, 40.0], &[4]);
        let found = difference(&a, &b, Some(&[true, true, false, false]), false);
        assert_eq!((found.max_abs, found.note), (0.0, None));
        let found = difference(&a, &b, Some(&[false; 4]), false);
        assert!(found.max_abs.is_infinite());
        assert_eq!(
            found.note.unwrap(),
            "the mask keeps no position: nothing was compared"
        );
    }

    #[test]
    fn a_nan_on_one_side_is_a_difference() {
        let a = tensor(&[1.0, f64::NAN, 3.0], &[3]);
        let b = tensor(&[1.0, 2.0, 3.0], &[3]);
        for (x, y, side) in [(&a, &b, "a"), (&b, &a, "b")] {
            let found = difference(x, y, None, false);
            assert!(found.scaled.is_infinite() && found.max_rel.is_infinite());
            assert_eq!(found.at, [1]);
            assert_eq!(found.note.unwrap(), format!("NaN only in {side}: 1 of 3"));
            assert_eq!(found.cosine, 1.0); // over the two that are numbers
        }
    }

    #[test]
    fn a_nan_on_both_sides_is_noted() {
        let a = tensor(&[1.0, f64::NAN], &[2]);
        let found = difference(&a, &a, None, false);
        assert_eq!(found.max_abs, 0.0);
        assert_eq!(found.note.unwrap(), "NaN on both sides: 1 of 2");
        let all = tensor(&[f64::NAN; 2], &[2]);
        assert!(difference(&all, &all, None, false).scaled.is_infinite());
    }

    #[test]
    fn infinities() {
        let a = tensor(&[f64::NEG_INFINITY, 1.0], &[2]);
        let found = difference(&a, &a, None, false);
        assert_eq!((found.max_abs, found.scaled, found.note), (0.0, 0.0, None));
        let b = tensor(&[f64::INFINITY, 1.0], &[2]);
        let found = difference(&a, &b, None, false);
        assert!(found.max_abs.is_infinite());
        assert_eq!(found.note.unwrap(), "infinite on one side: 1 of 2");
    }

    #[test]
    fn shapes_must_be_equal() {
        let found = difference(
            &tensor(&[1.0, 2.0], &[2]),
            &tensor(&[1.0, 2.0], &[1, 2]),
            None,
            false,
        );
        assert!(found.scaled.is_infinite());
        assert_eq!(found.note.unwrap(), "shapes differ: [2] and [1, 2]");
    }

    #[test]
    fn empty_tensors_of_one_shape_are_the_same() {
        let empty = tensor(&[], &[1, 0]);
        let found = difference(&empty, &empty, None, true);
        assert_eq!((found.max_abs, found.decisions), (0.0, None));
        assert_eq!(found.note.unwrap(), "empty: [1, 0]");
    }

    #[test]
    fn integers_and_halves_are_compared_as_numbers() {
        let a = TensorData::new(vec![1_i64, 2], [2]);
        let b = TensorData::new(vec![1.0_f32, 2.5], [2]);
        let found = difference(&a, &b, None, false);
        assert_eq!(found.max_abs, 0.5);
        assert_eq!(found.note.unwrap(), "types differ: I64 and F32");
    }
}
