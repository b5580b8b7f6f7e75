//! Rotary position embeddings (arXiv:2104.09864).

use burn::tensor::{DType, Int, Tensor, TensorData};
use serde::Serialize;

use super::rotary_scaling::{RotaryScaling, plain_over};

/// Which pairs of a head's values are rotated together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RotaryLayout {
    /// `(x[j], x[j + half])`: Llama, NeoX and their kin.
    Halves,
    /// `(x[2j], x[2j + 1])`: the paper's own, GPT-J.
    Interleaved,
}

/// Whose length it is that scaled frequencies depend on, where they depend on one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Length {
    /// The longest row's, for all rows of the batch alike: as in transformers' forward pass.
    #[default]
    Batch,
    /// Each row's own, so that a row is turned as it would be alone.
    Row,
}

/// Rotary positions of the first `dim` values of each head.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RotaryConfig {
    /// The base of the frequencies: pair `j` turns by `theta^(−2j / dim)` a position.
    pub theta: f64,
    /// How many of a head's values are rotated, an even number.
    pub dim: usize,
    /// Which values form a pair.
    pub layout: RotaryLayout,
    /// How the frequencies are changed for sequences longer than those of the training.
    pub scaling: RotaryScaling,
}

impl RotaryConfig {
    /// Unscaled rotary positions in halves.
    pub fn halves(theta: f64, dim: usize) -> Self {
        Self {
            theta,
            dim,
            layout: RotaryLayout::Halves,
            scaling: RotaryScaling::None,
        }
    }

    /// The tables for `positions` `[batch, query]`, in the element type `dtype`.
    ///
    /// Where the scaling depends on the sequence's length, that is the highest position of the
    /// batch or of each row, as `length` says, and keys that are cached keep the angles of their
    /// time: as in transformers.
    pub fn tables(&self, positions: &Tensor<2, Int>, dtype: DType, length: Length) -> Rotary {
        let [batch, query] = positions.dims();
        let positions = positions.clone().float().cast(DType::F32);
        let frequencies = self.frequencies(&positions, length); // [1 or batch, 1, 1, dim / 2]
        let angles = positions.reshape([batch, 1, query, 1]) * frequencies;
        let (mut cos, mut sin) = (angles.clone().cos(), angles.sin());
        let factor = self.scaling.attention_factor();
        if factor != 1.0 {
            (cos, sin) = (cos * factor, sin * factor);
        }
        Rotary {
            cos: cos.cast(dtype),
            sin: sin.cast(dtype),
            layout: self.layout,
            dim: self.dim,
        }
    }

    /// What each pair turns by a position, for `positions` `[batch, query]`: `[1, 1, 1, dim / 2]`,
    /// or `[batch, 1, 1, dim / 2]` where each row has frequencies of its own.
    fn frequencies(&self, positions: &Tensor<2>, length: Length) -> Tensor<4> {
        let half = self.dim / 2;
        let device = positions.device();
        let lengths = || match length {
            Length::Batch => (positions.clone().max() + 1.0).reshape([1, 1, 1, 1]),
            Length::Row => {
                let [batch, _] = positions.dims();
                (positions.clone().max_dim(1) + 1.0).reshape([batch, 1, 1, 1])
            }
        };
        let row = |values: Vec<f64>| {
            let values: Vec<f32> = values.into_iter().map(|value| value as f32).collect();
            Tensor::<4>::from_data(TensorData::new(values, [1, 1, 1, half]), &device)
        };
        let plain = self.scaling.frequencies(self.theta, self.dim);
        match &self.scaling {
            // The base grows with the sequence: bloc97's "dynamic NTK".
            RotaryScaling::Dynamic { factor, original } => {
                let original = *original as f64;
                let length = lengths().clamp_min(original);
                let growth = length * (factor / original) - (factor - 1.0);
                let exponents = (0..half).map(|j| -2.0 * j as f64 / (self.dim as f64 - 2.0));
                let growth = growth.log() * row(exponents.collect());
                row(plain) * growth.exp()
            }
            RotaryScaling::LongRope {
                long,
                original,
                short: _,
                ..
            } => {
                let slow = plain_over(self.theta, self.dim, long);
                let over = lengths()
                    .greater_elem(*original as f64)
                    .float()
                    .cast(DType::F32);
                let short = row(plain);
                short.clone() + (row(slow) - short) * over
            }
            _ => row(plain),
        }
    }
}

/// Cosines and sines of a batch's positions, each `[batch, 1, query, dim / 2]`.
#[derive(Debug, Clone)]
pub struct Rotary {
    cos: Tensor<4>,
    sin: Tensor<4>,
    layout: RotaryLayout,
    dim: usize,
}

impl Rotary {
    /// Rotates `x` `[batch, heads, query, head_dim]`.
    pub fn apply(&self, x: Tensor<4>) -> Tensor<4> {
        let [_, _, _, head_dim] = x.dims();
        let dim = self.dim;
        if dim == head_dim {
            return self.rotate(x);
        }
        let rotated = self.rotate(x.clone().narrow(3, 0, dim));
        Tensor::cat(vec![rotated, x.narrow(3, dim, head_dim - dim)], 3)
    }

    fn rotate(&self, x: Tensor<4>) -> Tensor<4> {
        let [batch, heads, query, dim] = x.dims();
        let half = dim / 2;
        match self.layout {
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
    use burn::tensor::{Device, Distribution};

    use super::*;

    fn config(layout: RotaryLayout, dim: usize) -> RotaryConfig {
        RotaryConfig {
            layout,
            ..RotaryConfig::halves(100.0, dim)
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
            .tables(&positions(&device), DType::F32, Length::Batch)
            .apply(x.clone().select(3, order.clone()));
        let interleaved = config(RotaryLayout::Interleaved, 6)
            .tables(&positions(&device), DType::F32, Length::Batch)
            .apply(x);
        assert_eq!(halves.to_data(), interleaved.select(3, order).to_data());
    }

    /// Equation 34 of the paper for one pair, and position 0 is left alone.
    #[test]
    fn a_pair_turns_by_its_position() {
        let device = fluxo_backends::device("flex").unwrap();
        let x = Tensor::<4>::from_data([[[[1.0, 0.0]; 4]]], &device); // [1, 1, 4, 2]
        let turned = config(RotaryLayout::Halves, 2)
            .tables(&positions(&device), DType::F32, Length::Batch)
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
            .tables(&positions(&device), DType::F32, Length::Batch)
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

    /// Up to the length of the training nothing is scaled.
    #[test]
    fn dynamic_scaling_starts_behind_the_original_length() {
        let device = fluxo_backends::device("flex").unwrap();
        let x = Tensor::<4>::random([1, 1, 4, 6], Distribution::Default, &device);
        let scaled = |original| RotaryConfig {
            scaling: RotaryScaling::Dynamic {
                factor: 4.0,
                original,
            },
            ..RotaryConfig::halves(100.0, 6)
        };
        let apply = |config: RotaryConfig| {
            let tables = config.tables(&positions(&device), DType::F32, Length::Batch);
            tables.apply(x.clone()).to_data()
        };
        let plain = apply(RotaryConfig::halves(100.0, 6));
        assert_eq!(apply(scaled(8)), plain);
        assert_ne!(apply(scaled(7)), plain);
    }

    /// Rows of one batch, the second within the original length, are each as alone only where
    /// their own lengths count.
    #[test]
    fn rows_may_have_frequencies_of_their_own() {
        let device = fluxo_backends::device("flex").unwrap();
        let x = Tensor::<4>::random([2, 1, 4, 6], Distribution::Default, &device);
        let rows = Tensor::<2, Int>::from_data([[6, 7, 8, 9], [0, 1, 2, 3]], &device);
        let dynamic = RotaryScaling::Dynamic {
            factor: 4.0,
            original: 5,
        };
        let long = RotaryScaling::LongRope {
            short: vec![1.0, 1.0, 1.5],
            long: vec![2.0, 3.0, 4.0],
            original: 5,
            attention_factor: 1.0,
        };
        for scaling in [dynamic, long] {
            let config = RotaryConfig {
                scaling,
                ..RotaryConfig::halves(100.0, 6)
            };
            let part = |row: usize| {
                let positions = rows.clone().narrow(0, row, 1);
                let tables = config.tables(&positions, DType::F32, Length::Batch);
                tables.apply(x.clone().narrow(0, row, 1))
            };
            let alone = Tensor::cat(vec![part(0), part(1)], 0).to_data();
            let with = |length| config.tables(&rows, DType::F32, length).apply(x.clone());
            assert_eq!(with(Length::Row).to_data(), alone);
            assert_ne!(with(Length::Batch).to_data(), alone);
        }
    }
}
