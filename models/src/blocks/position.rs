//! Where a token stands: position numbers, and embeddings of them.

use std::f64::consts::LN_10;

use burn::module::Module;
use burn::nn::{self, Initializer};
use burn::tensor::{Device, Int, Tensor, TensorData};
use serde::Serialize;

use super::mask::Span;

/// Position numbers `[batch, query]`.
///
/// With a mask `keep` `[batch, key]` a token's number is the count of kept tokens before it,
/// so that padding on the left moves nothing, as transformers' `generate` has it
/// (`_prepare_position_ids_for_generation`); without one it is its index.
pub fn position_ids(keep: Option<&Tensor<2, Int>>, span: Span, device: &Device) -> Tensor<2, Int> {
    let Span {
        batch, query, past, ..
    } = span;
    match keep {
        Some(keep) => (keep.clone().cumsum(1) - 1)
            .clamp_min(0)
            .slice([0..batch, past..past + query]),
        None => Tensor::<1, Int>::arange(past as i64..(past + query) as i64, device)
            .reshape([1, query])
            .expand([batch, query]),
    }
}

/// An embedding of absolute positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum PositionConfig {
    /// A learned table of `rows`, whose first position is row `offset`.
    Learned {
        /// Rows of the table.
        rows: usize,
        /// The row of position 0.
        offset: usize,
    },
    /// Sines of the position in the first half of the values, cosines in the second
    /// (arXiv:1706.03762, section 3.5, in Marian's order).
    Sinusoidal {
        /// How many positions there are.
        rows: usize,
    },
}

impl PositionConfig {
    /// How many positions have an embedding.
    pub fn positions(&self) -> usize {
        match self {
            Self::Learned { rows, offset } => rows.saturating_sub(*offset),
            Self::Sinusoidal { rows } => *rows,
        }
    }

    /// The table, where there is one, over `width` values, normal with deviation `std`.
    pub fn init(&self, width: usize, std: f64, device: &Device) -> Positions {
        let table = |rows| {
            nn::EmbeddingConfig::new(rows, width)
                .with_initializer(Initializer::Normal { mean: 0.0, std })
                .init(device)
        };
        let (table, offset) = match self {
            Self::Learned { rows, offset } => (Some(table(*rows)), *offset),
            Self::Sinusoidal { .. } => (None, 0),
        };
        Positions {
            table,
            offset,
            width,
        }
    }
}

/// Learned or computed embeddings of positions.
#[derive(Module, Debug)]
pub struct Positions {
    /// `[rows, width]`, where positions are learned.
    pub table: Option<nn::Embedding>,
    offset: usize,
    width: usize,
}

impl Positions {
    /// `[batch, seq]` numbers into `[batch, seq, width]`.
    pub fn forward(&self, positions: Tensor<2, Int>) -> Tensor<3> {
        match (&self.table, self.offset) {
            (Some(table), 0) => table.forward(positions),
            (Some(table), offset) => table.forward(positions + offset as i64),
            (None, _) => sinusoids(positions, self.width),
        }
    }
}

/// `[batch, seq] -> [batch, seq, width]`: pair `j` turns by `10000^(−2j / width)` a position.
fn sinusoids(positions: Tensor<2, Int>, width: usize) -> Tensor<3> {
    let [batch, seq] = positions.dims();
    let device = positions.device();
    let half = width / 2;
    let frequencies: Vec<f32> = (0..half)
        .map(|j| (-4.0 * LN_10 * 2.0 * j as f64 / width as f64).exp() as f32)
        .collect();
    let frequencies = Tensor::<3>::from_data(TensorData::new(frequencies, [1, 1, half]), &device);
    let angles = positions.float().reshape([batch, seq, 1]) * frequencies;
    Tensor::cat(vec![angles.clone().sin(), angles.cos()], 2)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn padding_on_the_left_moves_nothing() {
        let device = fluxo_backends::device("flex").unwrap();
        let keep = Tensor::from_data([[0, 0, 1, 1, 1], [1, 1, 1, 0, 0]], &device);
        let span = Span {
            batch: 2,
            query: 4,
            past: 1,
            room: 0,
        };
        let numbers = position_ids(Some(&keep), span, &device)
            .to_data()
            .convert::<i64>();
        assert_eq!(numbers.as_slice::<i64>().unwrap(), [0, 0, 1, 2, 1, 2, 2, 2]);
        let counted = position_ids(None, span, &device).to_data().convert::<i64>();
        assert_eq!(counted.as_slice::<i64>().unwrap(), [1, 2, 3, 4, 1, 2, 3, 4]);
    }

    /// Section 3.5 of the paper, its pairs apart.
    #[test]
    fn sinusoids_turn_slower_from_pair_to_pair() {
        let device = fluxo_backends::device("flex").unwrap();
        let positions = Tensor::<2, Int>::from_data([[0, 3]], &device);
        let found = sinusoids(positions, 4).to_data();
        let wanted = [0.0, 0.0, 1.0, 1.0].into_iter().chain([
            3f32.sin(),
            0.03f32.sin(),
            3f32.cos(),
            0.03f32.cos(),
        ]);
        for (found, wanted) in found.as_slice::<f32>().unwrap().iter().zip(wanted) {
            // A rounding of the angle and one of its sine.
            assert!((found - wanted).abs() < 5e-7, "{found} is not {wanted}");
        }
    }
}
