//! Numbers that follow from ones already solved.
//!
//! Traces tell sums of products of sizes by themselves. What else a forward pass computes, such as
//! squares and sums of rounded quotients, it computes from lengths that it has seen: a number that
//! is one of those, or one of a few simple combinations, at every trace is taken to be that.

use std::collections::BTreeMap;

use crate::expr::Expr;

/// The largest number that a forward pass is taken to add to a length.
const NEAR: i64 = 16;

/// Solved lengths, by their values at the traces.
#[derive(Default)]
pub(crate) struct Known {
    lengths: BTreeMap<Vec<i64>, Expr>,
}

impl Known {
    /// Adds a length that varies.
    pub fn note(&mut self, expr: &Expr, traces: &[Vec<i64>]) {
        if expr.as_constant().is_none() {
            let values = traces.iter().map(|sizes| expr.at(sizes)).collect();
            self.lengths.entry(values).or_insert_with(|| expr.clone());
        }
    }

    /// The simplest combination of known lengths with these values.
    pub fn find(&self, values: &[i64]) -> Option<Expr> {
        let near = |values: &[i64]| {
            let distances = (0..=NEAR).flat_map(|distance| [distance, -distance]);
            distances.into_iter().find_map(|distance| {
                let moved: Vec<i64> = values.iter().map(|value| value - distance).collect();
                Some(self.lengths.get(&moved)?.add(&Expr::constant(distance)))
            })
        };
        near(values)
            .or_else(|| self.each(|known, expr| quotient(values, known, expr)))
            .or_else(|| self.each(|known, expr| multiple(values, known, expr)))
            .or_else(|| {
                self.each(|known, expr| {
                    let rest = combine(values, known, |value, known| Some(value - known))?;
                    Some(near(&rest)?.add(expr))
                })
            })
            .or_else(|| {
                self.each(|known, expr| {
                    let rest = combine(values, known, |value, known| Some(known - value))?;
                    Some(expr.sub(&near(&rest)?))
                })
            })
            .or_else(|| {
                self.each(|known, expr| {
                    let rest = combine(values, known, exact)?;
                    Some(self.lengths.get(&rest)?.mul(expr))
                })
            })
    }

    fn each(&self, fits: impl Fn(&[i64], &Expr) -> Option<Expr>) -> Option<Expr> {
        let mut lengths = self.lengths.iter();
        lengths.find_map(|(known, expr)| fits(known, expr))
    }
}

/// `values` and `known` combined, where that can be done at every trace.
fn combine(
    values: &[i64],
    known: &[i64],
    with: impl Fn(i64, i64) -> Option<i64>,
) -> Option<Vec<i64>> {
    let pairs = values.iter().zip(known);
    pairs.map(|(value, known)| with(*value, *known)).collect()
}

/// `value / by`, if nothing is left.
fn exact(value: i64, by: i64) -> Option<i64> {
    (by != 0 && value % by == 0).then(|| value / by)
}

/// A half, third or quarter of a known length, rounded down or up.
fn quotient(values: &[i64], known: &[i64], expr: &Expr) -> Option<Expr> {
    (2..=4).find_map(|by: i64| {
        (0..by).find_map(|more| {
            let fits = |(value, known): (&i64, &i64)| *value == (known + more).div_euclid(by);
            let all = values.iter().zip(known).all(fits);
            all.then(|| expr.add(&Expr::constant(more)).divided(by))
        })
    })
}

/// A known length times a number, or over it.
fn multiple(values: &[i64], known: &[i64], expr: &Expr) -> Option<Expr> {
    let same = |ratios: Option<Vec<i64>>| {
        let ratios = ratios?;
        let first = *ratios.first()?;
        ratios.iter().all(|ratio| *ratio == first).then_some(first)
    };
    match same(combine(values, known, exact)) {
        Some(times) => Some(expr.scale(times)),
        None => expr.exactly(&Expr::constant(same(combine(known, values, exact))?)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn combinations_of_known_lengths_are_found() {
        let traces: Vec<Vec<i64>> = [[5, 11], [7, 11], [5, 13], [7, 13], [12, 24], [4, 10]]
            .iter()
            .map(|sizes| sizes.to_vec())
            .collect();
        let (a, b) = (Expr::size(0), Expr::size(1));
        let half = b.add(&Expr::constant(1)).divided(2);
        let mut known = Known::default();
        for expr in [&a, &b, &half, &a.mul(&a)] {
            known.note(expr, &traces);
        }
        for wanted in [
            half.sub(&Expr::constant(2)),
            half.add(&a),
            half.scale(3),
            half.mul(&a),
            a.mul(&a).sub(&half),
            a.mul(&a).mul(&b),
            half.divided(2),
        ] {
            let values: Vec<i64> = traces.iter().map(|sizes| wanted.at(sizes)).collect();
            assert_eq!(known.find(&values), Some(wanted));
        }
        let capped: Vec<i64> = traces.iter().map(|sizes| sizes[1].min(12)).collect();
        assert_eq!(known.find(&capped), None);
    }
}
