//! Rotary frequencies for sequences longer than those of the training, as transformers'
//! `modeling_rope_utils.py` has them.

use std::f64::consts::TAU;

use serde::Serialize;

/// How frequencies are changed.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum RotaryScaling {
    /// Not at all.
    None,
    /// Every frequency is divided (arXiv:2306.15595).
    Linear {
        /// By what.
        factor: f64,
    },
    /// The base grows with sequences that are longer than the original ones.
    Dynamic {
        /// How much longer sequences may be.
        factor: f64,
        /// The length of the original sequences.
        original: usize,
    },
    /// Slow pairs are divided, fast ones kept (YaRN, arXiv:2309.00071).
    Yarn {
        /// What the slow ones are divided by.
        factor: f64,
        /// The length of the original sequences.
        original: usize,
        /// Turns in an original sequence from which a pair is fast.
        beta_fast: f64,
        /// Turns in an original sequence up to which a pair is slow.
        beta_slow: f64,
        /// Whether the bounds are rounded outwards to whole pairs.
        truncate: bool,
        /// What cosines and sines are multiplied by.
        attention_factor: f64,
    },
    /// A factor for each pair, others for long sequences (arXiv:2402.13753).
    LongRope {
        /// Divisors up to the original length, one a pair.
        short: Vec<f64>,
        /// Divisors for longer sequences, one a pair.
        long: Vec<f64>,
        /// The length of the original sequences.
        original: usize,
        /// What cosines and sines are multiplied by.
        attention_factor: f64,
    },
    /// Slow pairs are divided, fast ones kept (Llama 3.1, arXiv:2407.21783).
    Llama3 {
        /// What the slow ones are divided by.
        factor: f64,
        /// Turns in an original sequence up to which a pair is slow.
        low: f64,
        /// Turns in an original sequence from which a pair is fast.
        high: f64,
        /// The length of the original sequences.
        original: usize,
    },
}

impl RotaryScaling {
    /// What cosines and sines are multiplied by.
    pub fn attention_factor(&self) -> f64 {
        match self {
            Self::Yarn {
                attention_factor, ..
            }
            | Self::LongRope {
                attention_factor, ..
            } => *attention_factor,
            _ => 1.0,
        }
    }

    /// What each of `dim / 2` pairs turns by a position, within the original length.
    pub fn frequencies(&self, theta: f64, dim: usize) -> Vec<f64> {
        let plain = plain_over(theta, dim, &[]);
        match self {
            Self::None | Self::Dynamic { .. } => plain,
            Self::Linear { factor } => plain.into_iter().map(|f| f / factor).collect(),
            Self::LongRope { short, .. } => plain_over(theta, dim, short),
            Self::Llama3 {
                factor,
                low,
                high,
                original,
            } => {
                let turns = |frequency: f64| *original as f64 * frequency / TAU;
                let scaled = |frequency: f64| {
                    // 0 for slow pairs, 1 for fast ones.
                    let fast = ((turns(frequency) - low) / (high - low)).clamp(0.0, 1.0);
                    (1.0 - fast) * frequency / factor + fast * frequency
                };
                plain.into_iter().map(scaled).collect()
            }
            Self::Yarn {
                factor,
                original,
                beta_fast,
                beta_slow,
                truncate,
                ..
            } => {
                // The pair that turns so often in an original sequence.
                let pair = |turns: f64| {
                    dim as f64 * (*original as f64 / (turns * TAU)).ln() / (2.0 * theta.ln())
                };
                let (mut first, mut last) = (pair(*beta_fast), pair(*beta_slow));
                if *truncate {
                    (first, last) = (first.floor(), last.ceil());
                }
                first = first.max(0.0);
                last = last.min(dim as f64 - 1.0);
                if first == last {
                    last += 0.001;
                }
                let scaled = |(j, frequency): (usize, f64)| {
                    let slow = ((j as f64 - first) / (last - first)).clamp(0.0, 1.0);
                    slow * frequency / factor + (1.0 - slow) * frequency
                };
                plain.into_iter().enumerate().map(scaled).collect()
            }
        }
    }
}

/// The plain frequencies, each divided by its factor.
pub(super) fn plain_over(theta: f64, dim: usize, factors: &[f64]) -> Vec<f64> {
    (0..dim / 2)
        .map(|j| 1.0 / (factors.get(j).unwrap_or(&1.0) * theta.powf(2.0 * j as f64 / dim as f64)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Llama 3.1's own configuration: fast pairs kept, slow ones divided, some between.
    #[test]
    fn fast_pairs_are_kept_and_slow_ones_divided() {
        let plain = RotaryScaling::None.frequencies(500_000.0, 128);
        let llama3 = RotaryScaling::Llama3 {
            factor: 8.0,
            low: 1.0,
            high: 4.0,
            original: 8192,
        };
        let yarn = RotaryScaling::Yarn {
            factor: 8.0,
            original: 8192,
            beta_fast: 32.0,
            beta_slow: 1.0,
            truncate: true,
            attention_factor: 1.0,
        };
        for scaling in [llama3, yarn] {
            let scaled = scaling.frequencies(500_000.0, 128);
            assert_eq!(scaled[0], plain[0]);
            assert!((scaled[63] * 8.0 - plain[63]).abs() < 1e-18);
            let between = |j: &usize| scaled[*j] < plain[*j] && scaled[*j] > plain[*j] / 8.0;
            assert!((0..64).filter(between).count() > 1);
        }
    }
}
