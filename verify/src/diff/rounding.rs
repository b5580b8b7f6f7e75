//! How far rounding moves the values of a tensor, row by row of its last axis.
//!
//! The error of a value follows the magnitudes that it was made of, and those differ from token to
//! token: a few may hold values a thousand times those of the rest (massive activations,
//! arXiv:2402.17762). Measured by the whole tensor, every other token could be off by as much as
//! rounding moves those few.

use burn::tensor::TensorData;

use crate::values::{Values, both};

/// What rounding explains in each row.
#[derive(Debug, Clone, PartialEq)]
pub struct Rounding {
    /// The largest distance from the exact values that was seen, a row.
    rows: Vec<f64>,
    /// What rounding explains in any row, scaled.
    even: f64,
    /// What rows of smaller magnitudes are scaled by.
    least: f64,
}

/// A row that is off.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Off {
    /// The largest distance of two of its values, divided by its largest magnitude.
    pub scaled: f64,
    /// What rounding explains of that.
    pub noise: f64,
}

impl Rounding {
    /// Of an output, so much in every row. Values under 1 are scaled by 1.
    pub fn of_output(even: f64) -> Self {
        Self {
            rows: Vec::new(),
            even,
            least: 1.0,
        }
    }

    /// Of what a part writes, nothing yet. Of whatever magnitude it is, rounding follows that.
    pub fn of_part() -> Self {
        Self {
            least: 0.0,
            ..Self::of_output(0.0)
        }
    }

    /// The same, where rounding explains at least so much in any row.
    pub fn with_even(self, even: f64) -> Self {
        Self { even, ..self }
    }

    /// Rounding explains as much as `given` lies from `exact`, where `kept` is true (everywhere
    /// where it is `None`), in each row, and in any row what it explains in half of them: few
    /// values, or equal ones, may happen to round alike.
    pub fn widen(&mut self, exact: &TensorData, given: &TensorData, kept: Option<&[bool]>) {
        let Some(found) = rows(exact, given, kept) else {
            return;
        };
        self.rows.resize(found.len(), 0.0);
        let all = largest(&found);
        let mut scaled = Vec::new();
        for (own, row) in self.rows.iter_mut().zip(&found) {
            // What no number measures explains nothing.
            *own = own.max(if row.off.is_finite() { row.off } else { 0.0 });
            if row.counts {
                scaled.push(*own / row.scale(self.least, all));
            }
        }
        scaled.retain(|scaled| scaled.is_finite());
        if !scaled.is_empty() {
            let half = scaled.len() / 2;
            let (_, middle, _) = scaled.select_nth_unstable_by(half, f64::total_cmp);
            self.even = self.even.max(*middle);
        }
    }

    /// What it explains in any row, scaled.
    pub fn even(&self) -> f64 {
        self.even
    }

    /// Rounding explains what `other` does, too.
    pub fn join(&mut self, other: &Self) {
        if self.rows.len() < other.rows.len() {
            self.rows.resize(other.rows.len(), 0.0);
        }
        for (own, other) in self.rows.iter_mut().zip(&other.rows) {
            *own = own.max(*other);
        }
        self.even = self.even.max(other.even);
    }

    /// The row of `a` and `b` that is off by most of what is `allowed` where rounding explains so
    /// much. `None` where their shapes differ, no row counts or they hold no numbers.
    pub fn worst(
        &self,
        a: &TensorData,
        b: &TensorData,
        kept: Option<&[bool]>,
        allowed: impl Fn(f64) -> f64,
    ) -> Option<Off> {
        let found = rows(a, b, kept)?;
        let all = largest(&found);
        let counted = found.iter().enumerate().filter(|(_, row)| row.counts);
        let off = counted.map(|(index, row)| {
            let scale = row.scale(self.least, all);
            let scaled = |off: f64| if off == 0.0 { 0.0 } else { off / scale };
            let own = self.rows.get(index).copied().unwrap_or(0.0);
            Off {
                scaled: scaled(row.off),
                noise: scaled(own).max(self.even),
            }
        });
        let share = |off: &Off| match off.scaled {
            0.0 => 0.0,
            scaled => scaled / allowed(off.noise),
        };
        off.max_by(|x, y| share(x).total_cmp(&share(y)))
    }
}

/// One row of two tensors.
#[derive(Debug, Clone, Copy, Default)]
struct Row {
    /// The largest distance of two values; infinite where one alone is no number.
    off: f64,
    /// The largest magnitude of the first's values.
    magnitude: f64,
    /// Whether any of it counts.
    counts: bool,
}

impl Row {
    /// One of finite values that all count; `None` where some are not finite.
    fn finite<X, Y>(x: &[X], y: &[Y]) -> Option<Self>
    where
        X: Copy + Into<f64>,
        Y: Copy + Into<f64>,
    {
        let (mut off, mut magnitude, mut finite) = (0.0f64, 0.0f64, true);
        for (&x, &y) in x.iter().zip(y) {
            let (x, apart): (f64, f64) = (x.into(), x.into() - y.into());
            off = if apart.abs() > off { apart.abs() } else { off };
            magnitude = if x.abs() > magnitude {
                x.abs()
            } else {
                magnitude
            };
            finite &= apart.is_finite();
        }
        (finite && !x.is_empty()).then_some(Self {
            off,
            magnitude,
            counts: true,
        })
    }

    /// One value more of each.
    fn add(&mut self, x: f64, y: f64) {
        self.counts = true;
        if x.is_finite() {
            self.magnitude = self.magnitude.max(x.abs());
        }
        // Equal infinities are equal, and NaN on both sides says nothing.
        if x != y && !(x.is_nan() && y.is_nan()) {
            let off = (x - y).abs();
            self.off = self.off.max(if off.is_nan() { f64::INFINITY } else { off });
        }
    }

    /// What it is divided by; of one that holds nothing but zeros `all`.
    fn scale(&self, least: f64, all: f64) -> f64 {
        match self.magnitude.max(least) {
            0.0 => all,
            scale => scale,
        }
    }
}

fn largest(rows: &[Row]) -> f64 {
    rows.iter().fold(0.0, |most, row| most.max(row.magnitude))
}

/// The rows of the last axis.
fn rows(a: &TensorData, b: &TensorData, kept: Option<&[bool]>) -> Option<Vec<Row>> {
    if a.shape() != b.shape() {
        return None;
    }
    let width = a.shape().as_slice().last().copied().unwrap_or(1).max(1);
    let (Ok(a), Ok(b)) = (Values::of(a), Values::of(b)) else {
        return None;
    };
    let rows = both!((&a, &b), |x, y| rows_of(x, y, width, kept));
    rows.iter().any(|row| row.counts).then_some(rows)
}

/// The rows of `width` values.
fn rows_of<X, Y>(x: &[X], y: &[Y], width: usize, kept: Option<&[bool]>) -> Vec<Row>
where
    X: Copy + Into<f64>,
    Y: Copy + Into<f64>,
{
    let rows = x.chunks_exact(width).zip(y.chunks_exact(width)).enumerate();
    let row = |(number, (x, y)): (usize, (&[X], &[Y]))| {
        let from = number * width;
        let kept = kept.map(|kept| &kept[from..from + width]);
        if kept.is_none_or(|kept| !kept.contains(&false))
            && let Some(row) = Row::finite(x, y)
        {
            return row;
        }
        let mut row = Row::default();
        for (i, (&x, &y)) in x.iter().zip(y).enumerate() {
            if kept.is_none_or(|kept| kept[i]) {
                row.add(x.into(), y.into());
            }
        }
        row
    };
    rows.map(row).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn data(values: &[f64], width: usize) -> TensorData {
        TensorData::new(values.to_vec(), [values.len() / width, width])
    }

    #[test]
    fn a_row_is_measured_by_itself() {
        // The first row is large, and rounding moves it by 1.
        let exact = data(&[1000.0, 1.0, 2.0, 4.0, 1.0, 8.0], 2);
        let mut rounding = Rounding::of_part();
        rounding.widen(&exact, &data(&[1001.0, 1.0, 2.0, 4.25, 1.0, 8.5], 2), None);
        // 1/1000, 0.25/4 and 0.5/8: the middle one is what any row has.
        let allowed = |noise: f64| 4.0 * noise;
        let worst = |given: &[f64]| {
            let given = data(given, 2);
            rounding.worst(&exact, &given, None, allowed).unwrap()
        };
        let off = worst(&[1000.0, 1.0, 2.0, 4.5, 1.0, 8.0]);
        assert_eq!((off.scaled, off.noise), (0.125, 0.0625));
        // What is nothing in the first row is much in another.
        let off = worst(&[1000.5, 1.0, 2.5, 4.0, 1.0, 8.0]);
        assert_eq!((off.scaled, off.noise), (0.125, 0.0625));
        let same = worst(&[1000.0, 1.0, 2.0, 4.0, 1.0, 8.0]);
        assert_eq!(same.scaled, 0.0);
    }

    #[test]
    fn small_values_of_outputs_are_scaled_by_one() {
        let exact = data(&[0.25, 0.5], 2);
        let given = data(&[0.25, 0.75], 2);
        let off = |rounding: Rounding| {
            let worst = rounding.worst(&exact, &given, None, |noise| noise);
            worst.unwrap().scaled
        };
        assert_eq!(off(Rounding::of_output(0.1)), 0.25);
        assert_eq!(off(Rounding::of_part()), 0.5);
    }

    #[test]
    fn what_the_mask_hides_or_no_number_measures_explains_nothing() {
        let exact = data(&[1.0, 2.0, f64::NAN, f64::INFINITY], 2);
        let given = data(&[9.0, 2.0, f64::NAN, f64::INFINITY], 2);
        let mut rounding = Rounding::of_part();
        rounding.widen(&exact, &given, Some(&[false, true, true, true]));
        assert_eq!(
            rounding,
            Rounding {
                rows: vec![0.0; 2],
                ..Rounding::of_part()
            }
        );
        let nan = data(&[1.0, 2.0, 3.0, f64::INFINITY], 2);
        rounding.widen(&exact, &nan, None);
        assert_eq!(rounding.rows, [0.0; 2]);
        let worst = |given: &TensorData| rounding.worst(&exact, given, None, |noise| noise);
        assert_eq!(worst(&nan).unwrap().scaled, f64::INFINITY);
        assert_eq!(worst(&exact).unwrap().scaled, 0.0);
        assert_eq!(worst(&data(&[1.0, 2.0], 2)), None);
        assert_eq!(
            rounding.worst(&exact, &nan, Some(&[false; 4]), |noise| noise),
            None
        );
    }
}
