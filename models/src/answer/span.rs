//! Where the answer to a question stands. As transformers 4.57's `question_answering.py`.

use serde::Serialize;

use super::numbers::{Output, largest, slice, softmax};
use super::{Asked, Row};
use crate::error::Result;
use crate::tensors::Tensors;

/// The most tokens of an answer.
const LONGEST: usize = 15;
/// Pairs of tokens that are looked at: several may be the same words.
const LOOKED_AT: usize = 12;
/// What is no part of the second text counts as this unlikely.
const HIDDEN: f64 = -10000.0;

/// An answer in the second text.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Span {
    /// Its words.
    pub answer: String,
    /// Its probability.
    pub score: f64,
    /// Its first character in the second text.
    pub start: usize,
    /// The one behind its last.
    pub end: usize,
}

/// The likeliest answer to every question; the rows of one question are windows of its text.
/// Of `start_logits` and `end_logits` `[rows, seq]`.
pub(super) fn spans(asked: &Asked<'_>, outputs: &Tensors) -> Result<Vec<Span>> {
    let find = |name| Output::find(outputs, name, 2);
    let (Some(starts), Some(ends)) = (find("start_logits")?, find("end_logits")?) else {
        return Ok(Vec::new());
    };
    let first = asked.tokenizer()?.special("cls_token")?;
    let mut found: Vec<Span> = Vec::new();
    let questions = asked.rows.iter().map(|row| row.of + 1).max().unwrap_or(0);
    for question in 0..questions {
        let mut answers = Vec::new();
        let own = asked.rows.iter().enumerate();
        for (at, row) in own.filter(|(_, row)| row.of == question) {
            // Without a text there is nothing to look in.
            let Some(context) = row.pair.as_deref() else {
                continue;
            };
            let length = row.reading.ids.len().min(starts.shape[1]);
            let of = |logits: &Output| shares(row, &logits.row(at)[..length], first);
            add(row, context, &of(&starts), &of(&ends), first, &mut answers);
        }
        // The first of equals.
        let scores: Vec<f64> = answers.iter().map(|answer| answer.score).collect();
        let best = largest(&scores, 1).into_iter().next();
        found.extend(best.map(|best| answers.swap_remove(best)));
    }
    Ok(found)
}

/// Whether the answer may have token `at`: one of the second text. Some models point at the first
/// token where there is no answer, so it takes part.
fn open(row: &Row, at: usize, first: Option<u32>) -> bool {
    let second = row.reading.places[at].is_some_and(|place| place.second);
    second || Some(row.reading.ids[at]) == first
}

/// The probability of each token to be the first of the answer, or the last.
fn shares(row: &Row, logits: &[f64], first: Option<u32>) -> Vec<f64> {
    let logits = logits.iter().enumerate();
    let logits: Vec<f64> = logits
        .map(|(at, logit)| if open(row, at, first) { *logit } else { HIDDEN })
        .collect();
    let mut shares = softmax(&logits);
    if let Some(first) = shares.first_mut() {
        *first = 0.0;
    }
    shares
}

/// Adds the likeliest answers of one row to `answers`; those of the same words count together.
fn add(
    row: &Row,
    context: &str,
    starts: &[f64],
    ends: &[f64],
    first: Option<u32>,
    answers: &mut Vec<Span>,
) {
    let length = starts.len();
    let score = |from: usize, to: usize| {
        if to >= from && to < from + LONGEST {
            starts[from] * ends[to]
        } else {
            0.0
        }
    };
    let all = (0..length).flat_map(|from| (0..length).map(move |to| (from, to)));
    let scores: Vec<f64> = all.map(|(from, to)| score(from, to)).collect();
    for pair in largest(&scores, LOOKED_AT) {
        let (from, to) = (pair / length, pair % length);
        if !open(row, from, first) || !open(row, to, first) {
            continue;
        }
        let (start, end) = characters(row, from, to);
        let answer = slice(context, (start, end));
        let same = |known: &&mut Span| known.answer.to_lowercase() == answer.to_lowercase();
        match answers.iter_mut().find(same) {
            Some(known) => known.score += scores[pair],
            None => answers.push(Span {
                answer,
                score: scores[pair],
                start,
                end,
            }),
        }
    }
}

/// The characters of the whole words from token `from` to token `to`.
fn characters(row: &Row, from: usize, to: usize) -> (usize, usize) {
    let [from, to] = [from, to].map(|at| row.reading.places[at]);
    match (from, to) {
        (Some(from), Some(to)) => match (from.word, to.word) {
            (Some(from), Some(to)) => (from.0, to.1),
            _ => (from.span.0, to.span.1),
        },
        _ => (0, 0),
    }
}
