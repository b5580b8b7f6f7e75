//! Text generation, a token at a time, with the cache.

use burn::tensor::{Int, Tensor, TensorData};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::batch::Batch;
use crate::blocks::taps::Taps;
use crate::error::{Error, Result};
use crate::model::Model;

/// How the next token is chosen.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sampling {
    /// What logits are divided by; 0 always takes the likeliest token.
    pub temperature: f64,
    /// Only the `k` likeliest tokens may be chosen.
    pub top_k: Option<usize>,
    /// Only the likeliest tokens that together reach this probability may be chosen
    /// (arXiv:1904.09751).
    pub top_p: Option<f64>,
    /// Where the draws start.
    pub seed: u64,
    /// Tokens that end the text; they are part of the result.
    pub stop: Vec<u32>,
}

impl Sampling {
    fn check(&self) -> Result<()> {
        if !self.temperature.is_finite() || self.temperature < 0.0 {
            return Err(Error::Input(format!(
                "a temperature of {} is not 0 or more",
                self.temperature
            )));
        }
        if self.top_k == Some(0) {
            return Err(Error::Input(
                "a top-k of 0 leaves no token to choose".into(),
            ));
        }
        match self.top_p {
            Some(p) if !(p > 0.0 && p <= 1.0) => Err(Error::Input(format!(
                "a top-p of {p} is not over 0 and up to 1"
            ))),
            _ => Ok(()),
        }
    }
}

/// Writes up to `max_new_tokens` tokens after `prompt` and gives them; `on_token` sees each
/// as it comes.
///
/// # Errors
/// When the model does not generate text, the prompt is empty or holds a number that is no
/// token, or prompt and new tokens exceed the model's positions.
pub fn generate(
    model: &Model,
    prompt: &[u32],
    max_new_tokens: usize,
    sampling: &Sampling,
    mut on_token: impl FnMut(u32),
) -> Result<Vec<u32>> {
    sampling.check()?;
    let config = model.config();
    if prompt.is_empty() {
        return Err(Error::Input(
            "the prompt is empty: give it at least one token".into(),
        ));
    }
    if let Some(token) = prompt.iter().find(|&&t| t as usize >= config.vocab_size()) {
        return Err(Error::Input(format!(
            "token {token} is not in the vocabulary of {}",
            config.vocab_size()
        )));
    }
    // The last token is never read back, so it needs no position.
    let positions = (prompt.len() + max_new_tokens).saturating_sub(1);
    if prompt.len() > config.max_positions() || positions > config.max_positions() {
        return Err(Error::Input(format!(
            "{} prompt tokens and {max_new_tokens} new ones exceed the model's {} positions; \
             shorten the prompt or ask for fewer",
            prompt.len(),
            config.max_positions()
        )));
    }

    let device = model.device();
    let mut random = StdRng::seed_from_u64(sampling.seed);
    let mut cache = None;
    let mut next: Vec<i64> = prompt.iter().map(|&token| i64::from(token)).collect();
    let mut tokens = Vec::new();
    while tokens.len() < max_new_tokens {
        let seq = next.len();
        let ids = TensorData::new(std::mem::take(&mut next), [1, seq]);
        let output = model.network.forward(
            Batch {
                cache,
                ..Batch::new(Tensor::<2, Int>::from_data(ids, &device))
            },
            &mut Taps::off(),
        );
        cache = output.cache;
        let logits = output.logits.ok_or_else(|| {
            Error::Input(format!(
                "a {} model for {} generates no text; load one for text-generation",
                model.family(),
                model.task()
            ))
        })?; // [1, seq, vocab]
        let last = logits.narrow(1, seq - 1, 1);
        let logits = last
            .try_into_data()
            .map_err(|e| Error::Input(format!("the device failed: {e}")))?
            .convert::<f32>()
            .try_into_vec::<f32>()
            .map_err(|e| Error::Input(format!("the logits cannot be read: {e}")))?;
        let token = choose(&logits, sampling, &mut random)?;
        tokens.push(token);
        on_token(token);
        if sampling.stop.contains(&token) {
            break;
        }
        next = vec![i64::from(token)];
    }
    Ok(tokens)
}

/// The next token for `logits`, one a token of the vocabulary.
fn choose(logits: &[f32], sampling: &Sampling, random: &mut StdRng) -> Result<u32> {
    if logits.iter().any(|logit| logit.is_nan()) {
        return Err(Error::Input(
            "the model's logits are not numbers: its weights are broken or overflow".into(),
        ));
    }
    let mut order: Vec<usize> = (0..logits.len()).collect();
    // Likeliest first; of equals the lowest number, as argmax has it.
    order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]).then(a.cmp(&b)));
    if sampling.temperature == 0.0 {
        return Ok(order[0] as u32);
    }
    if let Some(k) = sampling.top_k {
        order.truncate(k);
    }
    let largest = f64::from(logits[order[0]]);
    let mut weights: Vec<f64> = order
        .iter()
        .map(|&token| ((f64::from(logits[token]) - largest) / sampling.temperature).exp())
        .collect();
    if let Some(p) = sampling.top_p {
        let total: f64 = weights.iter().sum();
        let mut reached = 0.0;
        let kept = weights.iter().take_while(|&&weight| {
            let keep = reached < p * total;
            reached += weight;
            keep
        });
        let kept = kept.count().max(1);
        weights.truncate(kept);
    }
    let mut draw = random.random::<f64>() * weights.iter().sum::<f64>();
    for (&token, weight) in order.iter().zip(&weights) {
        draw -= weight;
        if draw < 0.0 {
            return Ok(token as u32);
        }
    }
    Ok(order[weights.len() - 1] as u32)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    /// The tokens that 200 draws give.
    fn drawn(logits: &[f32], sampling: &Sampling) -> Vec<u32> {
        let mut random = StdRng::seed_from_u64(7);
        let mut tokens: Vec<u32> = (0..200)
            .map(|_| choose(logits, sampling, &mut random).unwrap())
            .collect();
        tokens.sort_unstable();
        tokens.dedup();
        tokens
    }

    #[test]
    fn greedy_takes_the_first_of_the_largest() {
        let logits = [0.0, 2.0, 2.0, -1.0];
        assert_eq!(drawn(&logits, &Sampling::default()), [1]);
    }

    #[test]
    fn the_nucleus_is_the_smallest_set_that_reaches_p() {
        // Probabilities 0.5, 0.25, 0.125, 0.125.
        let logits = [8f32, 4.0, 2.0, 2.0].map(f32::ln);
        let with = |p| {
            drawn(
                &logits,
                &Sampling {
                    temperature: 1.0,
                    top_p: Some(p),
                    ..Sampling::default()
                },
            )
        };
        assert_eq!(with(0.4), [0]);
        assert_eq!(with(0.6), [0, 1]);
        assert_eq!(with(0.8), [0, 1, 2]);
        assert_eq!(with(1.0), [0, 1, 2, 3]);
    }

    #[test]
    fn draws_follow_the_probabilities() {
        let logits = [3f32, 1.0].map(f32::ln);
        let sampling = Sampling {
            temperature: 1.0,
            ..Sampling::default()
        };
        let mut random = StdRng::seed_from_u64(1);
        let first = (0..10_000)
            .filter(|_| choose(&logits, &sampling, &mut random).unwrap() == 0)
            .count();
        // A binomial with p = 0.75: six deviations of 43.
        assert!((7240..7760).contains(&first), "{first}");
    }

    #[test]
    fn logits_that_are_no_numbers_are_an_error() {
        let mut random = StdRng::seed_from_u64(1);
        assert!(choose(&[0.0, f32::NAN], &Sampling::default(), &mut random).is_err());
    }

    proptest! {
        #[test]
        fn only_the_k_likeliest_are_drawn(logits in prop::collection::vec(-9f32..9.0, 2..40), k in 1usize..40) {
            let sampling = Sampling { temperature: 3.0, top_k: Some(k), ..Sampling::default() };
            let mut sorted = logits.clone();
            sorted.sort_by(|a, b| b.total_cmp(a));
            let least = sorted[k.min(sorted.len()) - 1];
            for token in drawn(&logits, &sampling) {
                prop_assert!(logits[token as usize] >= least);
            }
        }
    }
}
