//! How scores are changed before a token is chosen, in transformers' order
//! (`_get_logits_processor` of its `generation/utils.py`).

use super::constraints::{exclude, exclude_all};
use super::row::Row;
use super::sampling::Sampling;

impl Sampling {
    /// Changes the scores of the token after `row`, whose prompt or source text is `source`;
    /// `last` where no token comes after that.
    pub(super) fn change(&self, scores: &mut [f32], row: &Row, source: Option<&[u32]>, last: bool) {
        bias(scores, &self.sequence_bias, &row.tokens);
        if let Some(source) = source
            && self.encoder_repetition_penalty != 1.0
        {
            let inverse = 1.0 / self.encoder_repetition_penalty;
            repel(scores, source, inverse as f32);
        }
        if self.repetition_penalty != 1.0 {
            repel(scores, &row.tokens, self.repetition_penalty as f32);
        }
        repeated(scores, &row.tokens, &row.tokens, self.no_repeat_ngram_size);
        if let Some(source) = source {
            repeated(
                scores,
                source,
                &row.tokens,
                self.encoder_no_repeat_ngram_size,
            );
        }
        self.constraints.forbid(scores, row);
        let written = row.tokens.len() - row.given;
        // A least number of new tokens counts instead of a least length.
        let early = match self.min_new_tokens {
            0 => row.tokens.len() < self.min_length,
            least => written < least,
        };
        if early {
            exclude_all(scores, &self.stop);
        }
        self.constraints.force(scores, row, last);
        if self.remove_invalid_values {
            make_numbers(scores);
        }
        if let Some((start, factor)) = self.exponential_decay
            && written > start
        {
            urge(scores, &self.stop, factor.powf((written - start) as f64));
        }
        self.constraints.suppress(scores, row);
        // Elsewhere it changes nothing that is compared.
        if self.renormalize && self.beams > 1 {
            normalise(scores);
        }
    }
}

/// Adds to the score of each sequence's last token, where the others end `text`.
fn bias(scores: &mut [f32], sequences: &[(Vec<u32>, f32)], text: &[u32]) {
    for (sequence, bias) in sequences {
        if let Some((token, before)) = sequence.split_last()
            && text.ends_with(before)
            && let Some(score) = scores.get_mut(*token as usize)
        {
            *score += bias;
        }
    }
}

/// Makes the tokens of `text` less likely, each once.
fn repel(scores: &mut [f32], text: &[u32], penalty: f32) {
    let mut tokens = text.to_vec();
    tokens.sort_unstable();
    tokens.dedup();
    for token in tokens {
        if let Some(score) = scores.get_mut(token as usize) {
            *score = if *score < 0.0 {
                *score * penalty
            } else {
                *score / penalty
            };
        }
    }
}

/// Excludes what would make the end of `text` a run of `size` tokens that `read` has.
fn repeated(scores: &mut [f32], read: &[u32], text: &[u32], size: usize) {
    if size == 0 || text.len() + 1 < size {
        return;
    }
    let end = &text[text.len() + 1 - size..];
    for run in read.windows(size) {
        if let Some((token, before)) = run.split_last()
            && before == end
        {
            exclude(scores, *token);
        }
    }
}

/// Scores that are no numbers become some: 0, the greatest, the least.
fn make_numbers(scores: &mut [f32]) {
    for score in scores {
        if score.is_nan() {
            *score = 0.0;
        }
        *score = score.clamp(f32::MIN, f32::MAX);
    }
}

/// Raises the scores of `tokens` by their size times `factor` less 1.
fn urge(scores: &mut [f32], tokens: &[u32], factor: f64) {
    for &token in tokens {
        if let Some(score) = scores.get_mut(token as usize)
            && score.is_finite()
        {
            *score += score.abs() * (factor - 1.0) as f32;
        }
    }
}

/// Scores into logarithmic probabilities.
pub(super) fn normalise(scores: &mut [f32]) {
    let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    if largest == f32::NEG_INFINITY {
        return;
    }
    let above = |score: f32| f64::from(score) - f64::from(largest);
    let total: f64 = scores.iter().map(|&score| above(score).exp()).sum();
    let log = total.ln();
    for score in scores {
        *score = (above(*score) - log) as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: f32 = f32::NEG_INFINITY;

    #[test]
    fn what_was_written_is_repelled_once() {
        let mut scores = [2.0, -2.0, 4.0, 0.0];
        repel(&mut scores, &[1, 0, 1, 0, 3, 9], 2.0);
        assert_eq!(scores, [1.0, -4.0, 4.0, 0.0]);
    }

    #[test]
    fn runs_are_not_finished_twice() {
        let with = |size, text: &[u32]| {
            let mut scores = [1.0; 4];
            repeated(&mut scores, text, text, size);
            scores
        };
        assert_eq!(with(0, &[1, 2]), [1.0; 4]);
        assert_eq!(with(1, &[1, 2]), [1.0, NONE, NONE, 1.0]);
        assert_eq!(with(2, &[1, 2, 1, 3, 1]), [1.0, 1.0, NONE, NONE]);
        assert_eq!(with(3, &[1, 2]), [1.0; 4]);
        // The run itself is not its own repetition.
        assert_eq!(with(3, &[2, 2, 3]), [1.0; 4]);
        assert_eq!(with(9, &[1, 2, 3]), [1.0; 4]);
    }

    #[test]
    fn biases_are_added_behind_their_beginnings() {
        let sequences = [(vec![1], 0.5), (vec![3, 1], 1.0), (vec![2, 1], 4.0)];
        let mut scores = [0.0; 3];
        bias(&mut scores, &sequences, &[3]);
        assert_eq!(scores, [0.0, 1.5, 0.0]);
    }

    #[test]
    fn no_numbers_become_some() {
        let mut scores = [f32::NAN, f32::INFINITY, NONE, 2.0];
        make_numbers(&mut scores);
        assert_eq!(scores, [0.0, f32::MAX, f32::MIN, 2.0]);
    }

    #[test]
    fn the_end_is_urged_whatever_its_sign() {
        let mut scores = [2.0, -2.0, NONE, 1.0];
        urge(&mut scores, &[0, 1, 2, 9], 1.5);
        assert_eq!(scores, [3.0, -1.0, NONE, 1.0]);
    }

    #[test]
    fn probabilities_sum_to_one() {
        let mut scores = [1.0, NONE, 3.0];
        normalise(&mut scores);
        let total: f32 = scores.iter().map(|score| score.exp()).sum();
        assert!((total - 1.0).abs() < 1e-6);
        let mut none = [NONE, NONE];
        normalise(&mut none);
        assert_eq!(none, [NONE, NONE]);
    }
}
