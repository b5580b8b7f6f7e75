//! Beam search, as transformers has it.

use super::Job;
use super::decoder::Decoder;
use super::processors::normalise;
use super::row::Row;
use super::sample::largest;
use super::sampling::EarlyStopping;
use crate::error::{Error, Result};

/// The best texts of each prompt, as many as are wanted of each.
pub(super) fn search(
    mut decoder: Decoder<'_>,
    mut scores: Vec<Vec<f32>>,
    job: &Job<'_>,
) -> Result<Vec<Vec<u32>>> {
    let first = |row| Beam { row, score: 0.0 };
    let mut searches: Vec<Search> = (0..scores.len())
        .map(|row| Search {
            running: vec![first(row)],
            finished: Vec::new(),
        })
        .collect();
    for written in 1.. {
        let mut steps = Vec::new();
        for search in &mut searches {
            search.step(decoder.rows(), &mut scores, &mut steps, written, job)?;
        }
        if steps.is_empty() {
            break;
        }
        scores = decoder.step(&steps)?;
    }
    let wanted = job.sampling.num_return_sequences;
    let best = |search: Search| {
        let mut texts: Vec<_> = search.finished.into_iter().map(|found| found.1).collect();
        texts.resize(wanted, Vec::new());
        texts
    };
    Ok(searches.into_iter().flat_map(best).collect())
}

/// A text that may go on.
#[derive(Debug, Clone, Copy)]
struct Beam {
    /// Which of the decoder's rows it is.
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
    /// `steps`, whose indices are the decoder's next rows.
    fn step(
        &mut self,
        rows: &[Row],
        scores: &mut [Vec<f32>],
        steps: &mut Vec<(usize, u32)>,
        written: usize,
        job: &Job<'_>,
    ) -> Result<()> {
        let Some(prompt) = self.running.first().map(|beam| rows[beam.row].prompt) else {
            return Ok(());
        };
        let sampling = job.sampling;
        let longest = job.new[prompt];
        let last = written == longest;
        let beams = sampling.beams;
        // Enough that as many go on as are wanted, if the best of them all end.
        let count = beams.saturating_mul((1 + sampling.stop.len()).max(2));
        let mut candidates = Vec::new();
        for beam in &self.running {
            let scores = &mut scores[beam.row];
            normalise(scores);
            sampling.change(scores, &rows[beam.row], job.source(prompt), last);
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

        let over = (written as f64).powf(sampling.length_penalty);
        let mut running = Vec::new();
        for (rank, candidate) in candidates.into_iter().enumerate() {
            let row = &rows[candidate.row];
            let ends = last || job.ends(row, candidate.token)?;
            if !ends && running.len() < beams {
                running.push(candidate);
            } else if ends && rank < beams {
                let mut text = row.tokens[row.given..].to_vec();
                text.push(candidate.token);
                self.finished.push((candidate.score / over, text));
            }
        }
        self.finished.sort_by(|a, b| b.0.total_cmp(&a.0));
        self.finished.truncate(beams);
        // Where enough are finished, the search goes on only while a text that goes on may
        // become better than the worst of them.
        if let (Some(best), Some(worst)) = (running.first(), self.finished.get(beams - 1)) {
            let over = match sampling.early_stopping {
                EarlyStopping::Never if sampling.length_penalty > 0.0 => {
                    (longest as f64).powf(sampling.length_penalty)
                }
                _ => over,
            };
            let full = sampling.early_stopping == EarlyStopping::WhenFull;
            if full || best.score / over <= worst.0 {
                running.clear();
            }
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
