//! A token for its scores: the likeliest, or a draw.

use rand::Rng;
use rand::rngs::StdRng;

use super::sampling::Sampling;
use super::warpers::{self, kth};
use crate::error::{Error, Result};

/// The next token for `scores`, one a token of the vocabulary; none of them is NaN.
///
/// # Errors
/// When every token is excluded.
pub(super) fn choose(scores: &[f32], sampling: &Sampling, random: &mut StdRng) -> Result<u32> {
    let (best, largest) = likeliest(scores)?;
    if sampling.temperature == 0.0 {
        return Ok(best);
    }
    let candidates = warpers::candidates(scores, f64::from(largest), sampling);
    let total: f64 = candidates.iter().map(|c| c.weight).sum();
    let mut draw = random.random::<f64>() * total;
    for candidate in &candidates {
        draw -= candidate.weight;
        if draw < 0.0 {
            return Ok(candidate.token);
        }
    }
    // A rounding of the sum: the last that can be drawn.
    let possible = candidates.iter().rev().find(|c| c.weight > 0.0);
    Ok(possible.map_or(best, |candidate| candidate.token))
}

/// What a draw by `sampling` follows for `scores`, one a token of the vocabulary: the tokens
/// that may be drawn and their probabilities, in the order of the vocabulary; the likeliest
/// alone where nothing is drawn. What a text has already changes nothing here.
///
/// # Errors
/// When a score is NaN, or every token is excluded.
pub fn distribution(scores: &[f32], sampling: &Sampling) -> Result<Vec<(u32, f64)>> {
    if scores.iter().any(|score| score.is_nan()) {
        return Err(Error::Input("a score is not a number".into()));
    }
    let (best, largest) = likeliest(scores)?;
    if sampling.temperature == 0.0 {
        return Ok(vec![(best, 1.0)]);
    }
    let candidates = warpers::candidates(scores, f64::from(largest), sampling);
    let total: f64 = candidates.iter().map(|c| c.weight).sum();
    let possible = candidates.into_iter().filter(|c| c.weight > 0.0);
    let mut all: Vec<_> = possible.map(|c| (c.token, c.weight / total)).collect();
    all.sort_unstable_by_key(|(token, _)| *token);
    Ok(all)
}

/// The first of the tokens with the largest score, and the score.
fn likeliest(scores: &[f32]) -> Result<(u32, f32)> {
    let mut best = (0, f32::NEG_INFINITY);
    for (token, &score) in (0..).zip(scores) {
        if score > best.1 {
            best = (token, score);
        }
    }
    if best.1 > f32::NEG_INFINITY {
        Ok(best)
    } else {
        Err(Error::Input(
            "no token is left to choose: the checkpoint's rules exclude them all".into(),
        ))
    }
}

/// The `count` tokens with the largest scores, likeliest first and of equals the first, with
/// their scores; excluded ones are not among them.
pub(super) fn largest(scores: &[f32], count: usize) -> Vec<(u32, f32)> {
    let least = kth(scores, count);
    let mut found: Vec<(u32, f32)> = (0..)
        .zip(scores.iter().copied())
        .filter(|(_, score)| *score >= least && *score > f32::NEG_INFINITY)
        .collect();
    // Stable: the order of the vocabulary stays among equals.
    found.sort_by(|a, b| b.1.total_cmp(&a.1));
    found.truncate(count);
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;
    use rand::SeedableRng;

    use super::*;

    fn drawing(temperature: f64) -> Sampling {
        Sampling {
            temperature,
            ..Sampling::default()
        }
    }

    /// The tokens that 200 draws give.
    fn drawn(scores: &[f32], sampling: &Sampling) -> Vec<u32> {
        let mut random = StdRng::seed_from_u64(7);
        let mut tokens: Vec<u32> = (0..200)
            .map(|_| choose(scores, sampling, &mut random).unwrap())
            .collect();
        tokens.sort_unstable();
        tokens.dedup();
        tokens
    }

    #[test]
    fn greedy_takes_the_first_of_the_largest() {
        let scores = [0.0, 2.0, 2.0, -1.0];
        assert_eq!(drawn(&scores, &Sampling::default()), [1]);
        assert_eq!(largest(&scores, 3), [(1, 2.0), (2, 2.0), (0, 0.0)]);
        assert_eq!(largest(&scores[..2], 9), [(1, 2.0), (0, 0.0)]);
    }

    #[test]
    fn the_nucleus_is_the_smallest_set_that_reaches_p() {
        // Probabilities 0.5, 0.25, 0.125, 0.125.
        let scores = [8f32, 4.0, 2.0, 2.0].map(f32::ln);
        let with = |p| {
            let top_p = Some(p);
            let sampling = Sampling {
                top_p,
                ..drawing(1.0)
            };
            drawn(&scores, &sampling)
        };
        assert_eq!(with(1e-300), [0]);
        assert_eq!(with(0.4), [0]);
        assert_eq!(with(0.6), [0, 1]);
        assert_eq!(with(0.8), [0, 1, 2]);
        assert_eq!(with(1.0), [0, 1, 2, 3]);
    }

    #[test]
    fn min_p_is_relative_to_the_likeliest() {
        let scores = [8f32, 4.0, 2.0, 1.0].map(f32::ln);
        let with = |min_p| {
            let min_p = Some(min_p);
            let sampling = Sampling {
                min_p,
                ..drawing(1.0)
            };
            drawn(&scores, &sampling)
        };
        assert_eq!(with(0.0), [0, 1, 2, 3]);
        assert_eq!(with(0.2), [0, 1, 2]);
        assert_eq!(with(0.3), [0, 1]);
        assert_eq!(with(1.0), [0]);
    }

    #[test]
    fn temperature_comes_before_the_cuts() {
        // At temperature 2 the weights 16, 4, 1 become 4, 2, 1: of 7, not of 21.
        let scores = [16f32, 4.0, 1.0].map(f32::ln);
        let top_p = Some(0.7);
        let sampling = Sampling {
            top_p,
            ..drawing(1.0)
        };
        assert_eq!(drawn(&scores, &sampling), [0]);
        let sampling = Sampling {
            top_p,
            ..drawing(2.0)
        };
        assert_eq!(drawn(&scores, &sampling), [0, 1]);
    }

    /// Pearson's statistic of 10 000 draws against the weights that `sampling` leaves, over its
    /// degrees of freedom.
    #[test]
    fn draws_follow_the_probabilities() {
        let weights = [1f64, 6.0, 3.0, 0.0, 2.0, 4.0];
        let scores = weights.map(|w| w.ln() as f32);
        let cases = [
            (drawing(1.0), vec![1.0, 6.0, 3.0, 0.0, 2.0, 4.0]),
            (drawing(0.5), vec![1.0, 36.0, 9.0, 0.0, 4.0, 16.0]),
            (
                Sampling {
                    top_k: Some(4),
                    min_p: Some(0.4),
                    ..drawing(1.0)
                },
                vec![0.0, 6.0, 3.0, 0.0, 0.0, 4.0],
            ),
            (
                Sampling {
                    top_p: Some(0.8),
                    ..drawing(1.0)
                },
                vec![0.0, 6.0, 3.0, 0.0, 0.0, 4.0],
            ),
        ];
        for (sampling, wanted) in cases {
            let mut random = StdRng::seed_from_u64(1);
            let mut counts = [0f64; 6];
            for _ in 0..10_000 {
                counts[choose(&scores, &sampling, &mut random).unwrap() as usize] += 1.0;
            }
            let total: f64 = wanted.iter().sum();
            let mut statistic = 0.0;
            for (count, weight) in counts.iter().zip(&wanted) {
                if *weight == 0.0 {
                    assert_eq!(*count, 0.0);
                } else {
                    let expected = 10_000.0 * weight / total;
                    statistic += (count - expected).powi(2) / expected;
                }
            }
            // Chi-square with 4 degrees of freedom exceeds 27.9 once in 10⁵; fewer, less often.
            assert!(statistic < 27.9, "{statistic} {sampling:?}");
        }
    }

    #[test]
    fn excluded_tokens_are_never_chosen() {
        let none = f32::NEG_INFINITY;
        let mut random = StdRng::seed_from_u64(1);
        assert!(choose(&[none, none], &Sampling::default(), &mut random).is_err());
        assert_eq!(drawn(&[none, -50.0, none], &drawing(1e9)), [1]);
        assert_eq!(largest(&[none, 1.0, none], 2), [(1, 1.0)]);
    }

    proptest! {
        #[test]
        fn only_the_k_likeliest_are_drawn(scores in prop::collection::vec(-9f32..9.0, 2..40), k in 1usize..40) {
            let sampling = Sampling { top_k: Some(k), ..drawing(3.0) };
            let mut sorted = scores.clone();
            sorted.sort_by(|a, b| b.total_cmp(a));
            let least = sorted[k.min(sorted.len()) - 1];
            for token in drawn(&scores, &sampling) {
                prop_assert!(scores[token as usize] >= least);
            }
        }
    }
}
