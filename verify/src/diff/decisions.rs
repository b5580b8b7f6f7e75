//! What two sets of logits would decide, beside how far they lie apart.

use serde::Serialize;

/// How many of the largest entries count for the overlap.
const TOP: usize = 5;

/// The decisions of two sets of logits, over the rows of the last axis that the mask keeps.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Decisions {
    /// The share of rows whose largest entry is the same.
    pub argmax_agreement: f64,
    /// The share of the five largest entries that both have.
    pub top_overlap: f64,
    /// The mean over the rows of the Kullback-Leibler divergence of the second's distribution
    /// from the first's, in nats; infinite where a row has a NaN.
    pub kl: f64,
}

impl Decisions {
    /// Rows of `left` beside those of `right`, both of `shape`; none where no row is kept.
    pub(crate) fn of(
        left: &[f64],
        right: &[f64],
        shape: &[usize],
        keeps: impl Fn(usize) -> bool,
    ) -> Option<Self> {
        let width = *shape.last().filter(|width| **width > 0)?;
        let rows = left.chunks(width).zip(right.chunks(width)).enumerate();
        let kept = rows.filter(|(row, _)| keeps(row * width));
        let (mut all, mut same, mut shared, mut kl) = (0_usize, 0_usize, 0.0, 0.0);
        for (_, (x, y)) in kept {
            all += 1;
            same += usize::from(matches!((largest(x), largest(y)), (Some(i), Some(j)) if i == j));
            shared += overlap(x, y);
            kl += divergence(x, y);
        }
        let count = all as f64;
        (all > 0).then(|| Self {
            argmax_agreement: same as f64 / count,
            top_overlap: shared / count,
            kl: kl / count,
        })
    }
}

/// The first of the largest entries; `None` where there is a NaN.
fn largest(row: &[f64]) -> Option<usize> {
    let mut best = 0;
    for (i, value) in row.iter().enumerate() {
        if value.is_nan() {
            return None;
        }
        if *value > row[best] {
            best = i;
        }
    }
    Some(best)
}

/// The share of the largest entries of `x` that are among those of `y`.
fn overlap(x: &[f64], y: &[f64]) -> f64 {
    let count = TOP.min(x.len());
    let top = |row: &[f64]| {
        let mut places: Vec<usize> = (0..row.len()).collect();
        // Vocabularies are long: what is not among the largest is left in any order.
        if count < places.len() {
            let larger = |&i: &usize, &j: &usize| row[j].total_cmp(&row[i]).then(i.cmp(&j));
            places.select_nth_unstable_by(count, larger);
        }
        places.truncate(count);
        places
    };
    let (mine, others) = (top(x), top(y));
    let shared = mine.iter().filter(|place| others.contains(place)).count();
    shared as f64 / count.max(1) as f64
}

/// Kullback-Leibler divergence of the softmax of `y` from that of `x`, in nats.
fn divergence(x: &[f64], y: &[f64]) -> f64 {
    let normalised = |row: &[f64]| {
        let most = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = row.iter().map(|value| (value - most).exp()).sum();
        let scale = sum.ln();
        move |value: f64| value - most - scale
    };
    let (of_x, of_y) = (normalised(x), normalised(y));
    let terms = x.iter().zip(y).map(|(&x, &y)| {
        let (p, q) = (of_x(x), of_y(y));
        // What has no chance adds nothing.
        if p == f64::NEG_INFINITY {
            0.0
        } else {
            p.exp() * (p - q)
        }
    });
    let sum: f64 = terms.sum();
    // Rounding may carry it below 0 by a hair.
    if sum.is_nan() {
        f64::INFINITY
    } else {
        sum.max(0.0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn of(left: &[f64], right: &[f64], shape: &[usize]) -> Decisions {
        Decisions::of(left, right, shape, |_| true).unwrap()
    }

    #[test]
    fn argmax_is_counted_over_kept_rows() {
        // Rows: same, other, masked, NaN.
        let nan = f64::NAN;
        let a = [1.0, 2.0, 5.0, 4.0, 1.0, 0.0, nan, 0.0];
        let b = [1.0, 2.1, 4.0, 4.1, 0.0, 1.0, 1.0, 0.0];
        let kept = |i: usize| i / 2 != 2;
        let found = Decisions::of(&a, &b, &[1, 4, 2], kept).unwrap();
        assert_eq!(found.argmax_agreement, 1.0 / 3.0);
        assert_eq!(found.kl, f64::INFINITY);
        // Equal entries: the first of them, on both sides.
        assert_eq!(of(&[7.0, 7.0], &[7.0, 7.0], &[1, 2]).argmax_agreement, 1.0);
        assert_eq!(Decisions::of(&a, &b, &[1, 4, 2], |_| false), None);
        assert_eq!(Decisions::of(&[], &[], &[1, 0], |_| true), None);
    }

    #[test]
    fn the_divergence_by_hand() {
        // Even odds against 9 to 1: ln 5/9 and ln 5/1, halved.
        let found = of(&[0.0, 0.0], &[9f64.ln(), 0.0], &[1, 2]);
        let wanted = 0.5 * (5.0 / 9.0_f64).ln() + 0.5 * 5f64.ln();
        assert!((found.kl - wanted).abs() < 1e-15);
        // Logits that are shifted are the same distribution; one without a chance adds nothing.
        let never = f64::NEG_INFINITY;
        assert_eq!(of(&[1.0, never], &[5.0, never], &[1, 2]).kl, 0.0);
    }

    #[test]
    fn five_of_the_largest_overlap() {
        let row: Vec<f64> = (0..10).map(f64::from).collect();
        let other: Vec<f64> = (0..10).map(|i| f64::from((i + 2) % 10)).collect();
        // 5..10 beside 3..8.
        assert_eq!(of(&row, &other, &[1, 10]).top_overlap, 0.6);
        assert_eq!(of(&row[..2], &other[..2], &[1, 2]).top_overlap, 1.0);
    }
}
