//! Outputs as numbers, row by row, and what is made of them.

use burn::tensor::TensorData;

use crate::error::{Error, Result};
use crate::tensors::Tensors;

/// An output of `[rows, …]`.
pub(super) struct Output {
    pub name: String,
    pub shape: Vec<usize>,
    values: Vec<f64>,
}

impl Output {
    /// The output `name` of `rank` axes, where there is one.
    ///
    /// # Errors
    /// When it has other axes, or holds no numbers.
    pub fn find(outputs: &Tensors, name: &str, rank: usize) -> Result<Option<Self>> {
        let Some(data) = outputs.get(name) else {
            return Ok(None);
        };
        let shape = data.shape().to_vec();
        if shape.len() != rank {
            return Err(Error::Input(format!(
                "the output `{name}` is {shape:?}, and what it means needs {rank} axes"
            )));
        }
        Ok(Some(Self {
            name: name.to_string(),
            shape,
            values: floats(name, data)?,
        }))
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.shape[0]
    }

    /// The values of row `row`.
    pub fn row(&self, row: usize) -> &[f64] {
        let size: usize = self.shape[1..].iter().product();
        &self.values[row * size..(row + 1) * size]
    }

    /// The values at the place `place` of row `row`, of an output of `[rows, places, values]`.
    ///
    /// # Errors
    /// When there is no such place.
    pub fn at(&self, row: usize, place: usize) -> Result<&[f64]> {
        let size = self.shape[2];
        if row >= self.rows() || place >= self.shape[1] {
            return Err(Error::Input(format!(
                "the output `{}` is {:?}, and has no place {place} of row {row}",
                self.name, self.shape
            )));
        }
        Ok(&self.row(row)[place * size..(place + 1) * size])
    }
}

fn floats(name: &str, data: &TensorData) -> Result<Vec<f64>> {
    data.clone()
        .convert::<f64>()
        .try_into_vec::<f64>()
        .map_err(|e| Error::Input(format!("the output `{name}`: {e}")))
}

/// `e^x` over the sum of all.
pub(super) fn softmax(logits: &[f64]) -> Vec<f64> {
    let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = logits.iter().map(|x| (x - most).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

/// The places of the `most` largest values, the largest first and of equals the first.
pub(super) fn largest(values: &[f64], most: usize) -> Vec<usize> {
    let mut places: Vec<usize> = (0..values.len()).collect();
    places.sort_by(|a, b| values[*b].total_cmp(&values[*a]));
    places.truncate(most);
    places
}

/// `text` from one character to before another.
pub(super) fn slice(text: &str, (from, to): (usize, usize)) -> String {
    let length = to.saturating_sub(from);
    text.chars().skip(from).take(length).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_of_large_logits_are_numbers() {
        let shares = softmax(&[1000.0, 1000.0, f64::NEG_INFINITY]);
        assert_eq!(shares, [0.5, 0.5, 0.0]);
        assert_eq!(largest(&[1.0, 3.0, 3.0, 2.0], 3), [1, 2, 3]);
        assert_eq!(slice("über", (1, 3)), "be");
    }
}
