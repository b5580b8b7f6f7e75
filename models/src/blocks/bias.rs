//! What is added to attention scores for the distance of query and key: ALiBi
//! (arXiv:2108.12409) and T5's buckets (arXiv:1910.10683, section 2.1).

use burn::nn::{Embedding, EmbeddingConfig, Initializer};
use burn::tensor::{DType, Device, Int, Tensor, TensorData, module::embedding};
use serde::Serialize;

use super::mask::Span;

/// Which bias the scores of a stack get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum BiasConfig {
    /// A slope a head, times the distance.
    Alibi,
    /// A learned value a head and bucket of distances.
    Buckets {
        /// Buckets.
        count: usize,
        /// The distance from which all share the last bucket.
        max_distance: usize,
        /// Whether keys before and after the query have buckets of their own.
        both_sides: bool,
    },
}

impl BiasConfig {
    /// The table `[buckets, heads]`, where there is one.
    pub fn init(&self, heads: usize, std: f64, device: &Device) -> Option<Embedding> {
        match self {
            Self::Alibi => None,
            Self::Buckets { count, .. } => {
                let normal = Initializer::Normal { mean: 0.0, std };
                let config = EmbeddingConfig::new(*count, heads).with_initializer(normal);
                Some(config.init(device))
            }
        }
    }

    /// The bias of all heads, `[batch, heads, query, key]`.
    ///
    /// `table` is `[buckets, heads]`; `keep` is `[batch, key]` with 0 for padding.
    pub fn scores(
        &self,
        table: Option<&Embedding>,
        heads: usize,
        keep: Option<&Tensor<2, Int>>,
        span: Span,
        (device, dtype): (&Device, DType),
    ) -> Tensor<4> {
        let Span {
            batch, query, past, ..
        } = span;
        let key = span.key();
        let full = [batch, heads, query, key];
        let keys = Tensor::<1, Int>::arange(0..key as i64, device);
        match (self, table) {
            (
                Self::Buckets {
                    count,
                    max_distance,
                    both_sides,
                },
                Some(table),
            ) => {
                let far = *max_distance as i64;
                let queries = Tensor::<1, Int>::arange(past as i64..(past + query) as i64, device);
                let distance = keys.reshape([1, key]).expand([query, key])
                    - queries.reshape([query, 1]).expand([query, key]);
                let index = distance.clamp(-far, far) + far; // [query, key]
                let buckets: Vec<i64> = (-far..=far)
                    .map(|d| bucket(d, *count, *max_distance, *both_sides) as i64)
                    .collect();
                let rows = buckets.len();
                let buckets =
                    Tensor::<2, Int>::from_data(TensorData::new(buckets, [1, rows]), device);
                let of_distance = table.forward(buckets).reshape([rows, heads]);
                embedding(of_distance, index) // [query, key, heads]
                    .reshape([1, query, key, heads])
                    .permute([0, 3, 1, 2])
                    .expand(full)
            }
            _ => {
                // A row's softmax does not see what all its scores share, so the key's own
                // position stands for the distance.
                let positions = match keep {
                    Some(keep) => (keep.clone().cumsum(1) - 1).clamp_min(0),
                    None => keys.reshape([1, key]).expand([batch, key]),
                };
                let positions = positions.float().cast(dtype).reshape([batch, 1, 1, key]);
                let slopes = TensorData::new(slopes(heads), [1, heads, 1, 1]);
                let slopes = Tensor::<4>::from_data(slopes, device).cast(dtype);
                (positions * slopes).expand(full)
            }
        }
    }
}

/// The slopes of `heads` heads: a geometric sequence, with every second value of a finer one
/// behind it where heads are no power of two (section 3 of the paper and its footnote).
fn slopes(heads: usize) -> Vec<f32> {
    let powers = |count: usize| {
        let base = 2f64.powf(-8.0 / count as f64);
        (1..=count).map(move |i| base.powi(i as i32) as f32)
    };
    let whole = 1 << heads.ilog2();
    let finer = powers(2 * whole).step_by(2).take(heads - whole);
    powers(whole).chain(finer).collect()
}

/// The bucket of a key that stands `distance` behind the query (T5's
/// `_relative_position_bucket`, in float32 as there).
fn bucket(distance: i64, count: usize, max_distance: usize, both_sides: bool) -> usize {
    let (buckets, start) = if both_sides {
        (count / 2, if distance > 0 { count / 2 } else { 0 })
    } else {
        (count, 0)
    };
    let far = if both_sides {
        distance.unsigned_abs() as usize
    } else {
        distance.min(0).unsigned_abs() as usize
    };
    let exact = buckets / 2;
    if far < exact {
        return start + far;
    }
    let ratio = (far as f32 / exact as f32).ln() / (max_distance as f32 / exact as f32).ln();
    let step = exact + (ratio * (buckets - exact) as f32) as usize;
    start + step.min(buckets - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_are_those_of_the_paper() {
        assert_eq!(slopes(4), [0.25, 0.0625, 0.015625, 0.00390625]);
        assert_eq!(slopes(8)[0], 0.5);
        assert_eq!(slopes(3), [0.0625, 0.00390625, 0.25]);
    }

    #[test]
    fn near_distances_have_their_own_buckets() {
        // T5's own sizes: 32 buckets, the last from 128 on.
        let both = |d| bucket(d, 32, 128, true);
        assert_eq!([0, -1, -7, -8, -200].map(both), [0, 1, 7, 8, 15]);
        assert_eq!([1, 7, 8, 200].map(both), [17, 23, 24, 31]);
        let before = |d| bucket(d, 32, 128, false);
        assert_eq!(
            [5, 0, -1, -15, -16, -500].map(before),
            [0, 0, 1, 15, 16, 31]
        );
    }
}
