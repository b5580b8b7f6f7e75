//! Beam search, as transformers has it with `early_stopping=False`.

use super::choice::largest;
use super::sampling::Sampling;
use super::writer::{Row, Writer};
use crate::error::{Error, Result};

/// The best text of each prompt.
pub(super) fn search(
    mut writer: Writer<'_>,
    mut scores: Vec<Vec<f32>>,
    max_new_tokens: usize,
    sampling: &Sampling,
) -> Result<Vec<Vec<u32>>> {
    let first = |row| Beam { row, score: 0.0 };
    let mut searches: Vec<Search> = (0..scores.len())
        .map(|row| Search {
            running: vec![first(row)],
            finished: Vec::new(),
        })
        .collect();
    for written in 1..=max_new_tokens {
        let length = Length {
            written,
            last: written == max_new_tokens,
        };
        let mut steps = Vec::new();
        for search in &mut searches {
            search.step(writer.rows(), &mut scores, &mut steps, length, sampling)?;
        }
        if steps.is_empty() {
            break;
        }
        scores = writer.step(&steps)?;
    }
    let best = |search: Search| search.finished.into_iter().next();
    let texts = searches.into_iter().map(best);
    Ok(texts.map(|found| found.unwrap_or_default().1).collect())
}

/// How long the texts are.
#[derive(Debug, Clone, Copy)]
struct Length {
    /// Tokens written, the next included.
    written: usize,
    /// Whether none comes after that.
    last: bool,
}

/// A text that may go on.
#[derive(Debug, Clone, Copy)]
struct Beam {
    /// Which of the writer's rows it is.
    row: usize,
    /// Its logarithmic probability.
    score: f64,
}

/// The search for a prompt's text.
struct Search {
    /// Texts that go on, likeliest first; none where the search is over.
    running: Vec<Beam>,
    /// Texts that are finished and their scores, best first.
    finished: Vec<(f64, Vec<u32>)>,
}

impl Search {
    /// Extends every running text by its likeliest tokens, keeps the best, and notes them in
    /// `steps`, whose indices are the writer's next rows.
    fn step(
        &mut self,
        rows: &[Row],
        scores: &mut [Vec<f32>],
        steps: &mut Vec<(usize, u32)>,
        length: Length,
        sampling: &Sampling,
    ) -> Result<()> {
        if self.running.is_empty() {
            return Ok(());
        }
        let beams = sampling.beams;
        // Enough that as many go on as are wanted, if the best of them all end.
        let count = beams.saturating_mul((1 + sampling.stop.len()).max(2));
        let mut candidates = Vec::new();
        for beam in &self.running {
            let scores = &mut scores[beam.row];
            normalise(scores);
            sampling.change(scores, &rows[beam.row], length.last);
            let best = largest(scores, count).into_iter();
            candidates.extend(best.map(|(token, score)| Candidate {
                row: beam.row,
                token,
                score: beam.score + f64::from(score),
            }));
        }
        if candidates.is_empty() {
            return Err(Error::Input(
                "no token is left to choose: the checkpoint's rules exclude them all".into(),
            ));
        }
        candidates.sort_by(|a, b| b.score.total_cmp(&a.score));
        candidates.truncate(count);

        let over = (length.written as f64).powf(sampling.length_penalty);
        let mut running = Vec::new();
        for (rank, candidate) in candidates.into_iter().enumerate() {
            let ends = length.last || sampling.stop.contains(&candidate.token);
            if !ends && running.len() < beams {
                running.push(candidate);
            } else if ends && rank < beams {
                let row = &rows[candidate.row];
                let mut text = row.tokens[row.given..].to_vec();
                text.push(candidate.token);
                self.finished.push((candidate.score / over, text));
            }
        }
        self.finished.sort_by(|a, b| b.0.total_cmp(&a.0));
        self.finished.truncate(beams);
        // Where enough are finished, the search goes on only while a text that goes on is, at
        // its present length, better than the worst of them.
        if let (Some(best), Some(worst)) = (running.first(), self.finished.get(beams - 1))
            && best.score / over <= worst.0
        {
            running.clear();
        }
        let next = (steps.len()..).zip(&running);
        self.running = next
            .map(|(row, candidate)| Beam {
                row,
                score: candidate.score,
            })
            .collect();
        steps.extend(running.iter().map(|c| (c.row, c.token)));
        Ok(())
    }
}

/// A text and a token behind it.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    row: usize,
    token: u32,
    score: f64,
}

/// Scores into logarithmic probabilities.
fn normalise(scores: &mut [f32]) {
    let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let above = |score: f32| f64::from(score) - f64::from(largest);
    let total: f64 = scores.iter().map(|&score| above(score).exp()).sum();
    let log = total.ln();
    for score in scores {
        *score = (above(*score) - log) as f32;
    }
}
