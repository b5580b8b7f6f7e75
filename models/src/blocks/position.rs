//! Where a token stands: position numbers, and rotary embeddings (arXiv:2104.09864).

use burn::tensor::{Device, Int, Tensor, TensorData};
use serde::Serialize;

use super::mask::Span;

/// Position numbers `[batch, query]`.
///
/// With a mask `keep` `[batch, key]` a token's number is the count of kept tokens before it,
/// so that padding on the left moves nothing; without one it is its index.
pub fn position_ids(keep: Option<Tensor<2, Int>>, span: Span, device: &Device) -> Tensor<2, Int> {
    let Span { batch, query, past } = span;
    let key = past + query;
    match keep {
        Some(keep) => (keep.cumsum(1) - 1)
            .clamp_min(0)
            .slice([0..batch, past..key]),
        None => Tensor::<1, Int>::arange(past as i64..key as i64, device)
            .reshape([1, query])
            .expand([batch, query]),
    }
}

/// Which pairs of a head's values are rotated together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RotaryLayout {
    /// `(x[j], x[j + half])`: Llama, NeoX and their kin.
    Halves,
    /// `(x[2j], x[2j + 1])`: the paper's own, GPT-J.
    Interleaved,
}

/// Rotary positions of the first `dim` values of each head.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RotaryConfig {
    /// The base of the frequencies: pair `j` turns by `theta^(−2j / dim)` a position.
    pub theta: f64,
    /// How many of a head's values are rotated, an even number.
    pub dim: usize,
    /// Which values form a pair.
    pub layout: RotaryLayout,
}

impl RotaryConfig {
    /// The tables for `positions` `[batch, query]`.
    pub fn tables(&self, positions: Tensor<2, Int>) -> Rotary {
        let [batch, query] = positions.dims();
        let half = self.dim / 2;
        let device = positions.device();
        let frequencies: Vec<f32> = (0..half)
            .map(|j| (1.0 / self.theta.powf(2.0 * j as f64 / self.dim as f64)) as f32)
            .collect();
        let frequencies =
            Tensor::<4>::from_data(TensorData::new(frequencies, [1, 1, 1, half]), &device);
        let angles = positions.float().reshape([batch, 1, query, 1]) * frequencies;
        Rotary {
            cos: angles.clone().cos(),
            sin: angles.sin(),
            config: *self,
        }
    }
}

/// Cosines and sines of a batch's positions, each `[batch, 1, query, dim / 2]`.
#[derive(Debug, Clone)]
pub struct Rotary {
    cos: Tensor<4>,
    sin: Tensor<4>,
    config: RotaryConfig,
}

impl Rotary {
    /// Rotates `x` `[batch, heads, query, head_dim]`.
    pub fn apply(&self, x: Tensor<4>) -> Tensor<4> {
        let [_, _, _, head_dim] = x.dims();
        let dim = self.config.dim;
        if dim == head_dim {
            return self.rotate(x);
        }
        let rotated = self.rotate(x.clone().narrow(3, 0, dim));
        Tensor::cat(vec![rotated, x.narrow(3, dim, head_dim - dim)], 3)
    }

    fn rotate(&self, x: Tensor<4>) -> Tensor<4> {
        let [batch, heads, query, dim] = x.dims();
        let half = dim / 2;
        match self.config.layout {
            RotaryLayout::Halves => {
                let (a, b) = self.turn(x.clone().narrow(3, 0, half), x.narrow(3, half, half));
                Tensor::cat(vec![a, b], 3)
            }
            RotaryLayout::Interleaved => {
                let pairs = x.reshape([batch, heads, query * half, 2]);
                let part = |i| {
                    let part = pairs.clone().narrow(3, i, 1);
                    part.reshape([batch, heads, query, half])
                };
                let (a, b) = self.turn(part(0), part(1));
                let flat = |t: Tensor<4>| t.reshape([batch, heads, query * half, 1]);
                Tensor::cat(vec![flat(a), flat(b)], 3).reshape([batch, heads, query, dim])
            }
        }
    }

    /// `(a, b)` turned by the angles, each `[batch, heads, query, dim / 2]`.
    fn turn(&self, a: Tensor<4>, b: Tensor<4>) -> (Tensor<4>, Tensor<4>) {
        let (cos, sin) = (self.cos.clone(), self.sin.clone());
        (
            a.clone() * cos.clone() - b.clone() * sin.clone(),
            b * cos + a * sin,
        )
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use burn::tensor::Distribution;

    use super::*;

    fn config(layout: RotaryLayout, dim: usize) -> RotaryConfig {
        RotaryConfig {
            theta: 100.0,
            dim,
            layout,
        }
    }

    fn positions(device: &Device) -> Tensor<2, Int> {
        Tensor::from_data([[0, 1, 2, 7]], device)
    }

    /// The two layouts are the same rotation of values in another order.
    #[test]
    fn interleaved_is_halves_in_another_order() {
        let device = fluxo_backends::device("flex").unwrap();
        let x = Tensor::<4>::random([1, 2, 4, 6], Distribution::Default, &device);
        let order = Tensor::<1, Int>::from_data([0, 2, 4, 1, 3, 5], &device);
        let halves = config(RotaryLayout::Halves, 6)
            .tables(positions(&device))
            .apply(x.clone().select(3, order.clone()));
        let interleaved = config(RotaryLayout::Interleaved, 6)
            .tables(positions(&device))
            .apply(x);
        assert_eq!(halves.to_data(), interleaved.select(3, order).to_data());
    }

    /// Equation 34 of the paper for one pair, and position 0 is left alone.
    #[test]
    fn a_pair_turns_by_its_position() {
        let device = fluxo_backends::device("flex").unwrap();
        let x = Tensor::<4>::from_data([[[[1.0, 0.0]; 4]]], &device); // [1, 1, 4, 2]
        let turned = config(RotaryLayout::Halves, 2)
            .tables(positions(&device))
            .apply(x)
            .to_data();
        for (pair, angle) in turned
            .as_slice::<f32>()
            .unwrap()
            .chunks(2)
            .zip([0f32, 1.0, 2.0, 7.0])
        {
            assert!((pair[0] - angle.cos()).abs() < 1e-6 && (pair[1] - angle.sin()).abs() < 1e-6);
        }
    }

    #[test]
    fn what_lies_beyond_the_rotary_values_is_left_alone() {
        let device = fluxo_backends::device("flex").unwrap();
        let x = Tensor::<4>::random([1, 1, 4, 6], Distribution::Default, &device);
        let turned = config(RotaryLayout::Halves, 4)
            .tables(positions(&device))
            .apply(x.clone());
        assert_eq!(
            turned.clone().narrow(3, 4, 2).to_data(),
            x.clone().narrow(3, 4, 2).to_data()
        );
        assert_ne!(
            turned.narrow(3, 0, 4).to_data(),
            x.narrow(3, 0, 4).to_data()
        );
    }

    #[test]
    fn padding_on_the_left_moves_nothing() {
        let device = fluxo_backends::device("flex").unwrap();
        let keep = Tensor::from_data([[0, 0, 1, 1, 1], [1, 1, 1, 0, 0]], &device);
        let span = Span {
            batch: 2,
            query: 4,
            past: 1,
        };
        let numbers = position_ids(Some(keep), span, &device)
            .to_data()
            .convert::<i64>();
        assert_eq!(numbers.as_slice::<i64>().unwrap(), [0, 0, 1, 2, 1, 2, 2, 2]);
        let counted = position_ids(None, span, &device).to_data().convert::<i64>();
        assert_eq!(counted.as_slice::<i64>().unwrap(), [1, 2, 3, 4, 1, 2, 3, 4]);
    }
}
