//! A tensor `[batch, seq, d_model]` as rows of float64, one for each kept position.

use burn::tensor::TensorData;

use crate::{Error, TapStats, numbers};

/// `[kept, width]`, row by row.
#[derive(Clone, Debug)]
pub(crate) struct Rows {
    pub width: usize,
    pub values: Vec<f64>,
}

impl Rows {
    /// The rows of `data` (`[batch, seq, width]`, the output called `name`) that `kept` keeps.
    pub fn read(name: &str, data: Option<&TensorData>, kept: &[bool]) -> Result<Self, Error> {
        let data = data.ok_or_else(|| Error::MissingTap { tap: name.into() })?;
        let width = data.shape().to_vec().last().copied().unwrap_or(1);
        let all = numbers(name, data)?;
        let values = all
            .chunks(width)
            .zip(kept)
            .filter(|(_, keep)| **keep)
            .flat_map(|(row, _)| row.iter().copied())
            .collect();
        Ok(Self { width, values })
    }

    pub fn iter(&self) -> impl Iterator<Item = &[f64]> {
        self.values.chunks(self.width)
    }

    /// The sum with `other`, which has as many rows.
    pub fn plus(&self, other: &Self) -> Self {
        let values = self.values.iter().zip(&other.values);
        Self {
            width: self.width,
            values: values.map(|(a, b)| a + b).collect(),
        }
    }

    pub fn is_finite(&self) -> bool {
        self.values.iter().all(|value| value.is_finite())
    }

    /// What [`TapStats`] says, for the tap called `tap`.
    pub fn stats(&self, tap: &'static str) -> TapStats {
        let norms = self.iter().map(|row| dot(row, row).sqrt());
        let mean = average(self.values.iter().copied());
        let variance = average(self.values.iter().map(|value| (value - mean).powi(2)));
        TapStats {
            tap,
            norm: average(norms),
            mean,
            deviation: variance.sqrt(),
        }
    }
}

/// `<a, b>`.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The mean of at least one value.
pub(crate) fn average(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), v| (sum + v, count + 1.0));
    sum / count
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn by_hand_and_without_the_masked_position() {
        let data = TensorData::new(
            vec![3.0_f32, 4.0, 100.0, -100.0, -1.0, 0.0, 0.0, 0.0],
            [2, 2, 2],
        );
        let rows = Rows::read("x", Some(&data), &[true, false, true, true]).unwrap();
        assert_eq!(rows.values, [3.0, 4.0, -1.0, 0.0, 0.0, 0.0]);
        let stats = rows.stats("x");
        // The rows' norms are 5, 1 and 0; the values' mean is 1, their squares' mean 26 / 6.
        assert_eq!(stats.norm, 2.0);
        assert_eq!(stats.mean, 1.0);
        // Exact but for the last bit of a sum of six squares.
        assert!((stats.deviation - (26.0_f64 / 6.0 - 1.0).sqrt()).abs() < 4.0 * f64::EPSILON);
    }
}
