//! What may come next.

use serde::Serialize;

use super::numbers::{Output, largest, softmax};
use super::{Asked, TOP};
use crate::error::Result;
use crate::tensors::Tensors;

/// The likeliest next tokens of one row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Next {
    /// The likeliest first.
    pub next: Vec<NextToken>,
}

/// One token.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NextToken {
    /// Its number.
    pub token: u32,
    /// Its text, where the model has a tokenizer.
    pub token_str: Option<String>,
    /// Its probability.
    pub score: f64,
}

/// The next tokens of every row of `logits` `[rows, seq, vocab]`: those after the last token of
/// the text that it continues, or after the last position.
pub(super) fn next(asked: &Asked<'_>, outputs: &Tensors) -> Result<Vec<Next>> {
    let Some(logits) = Output::find(outputs, "logits", 3)? else {
        return Ok(Vec::new());
    };
    let last = |row: usize| match asked.rows.get(row).filter(|_| !asked.writes) {
        Some(row) => row.reading.ids.len(),
        None => logits.shape[1],
    };
    let next = |row: usize| {
        let scores = softmax(logits.at(row, last(row).saturating_sub(1))?);
        let token = |token: usize| {
            let number = token as u32;
            let said = asked.text.map(|text| text.decode_with_special(&[number]));
            Ok(NextToken {
                token: number,
                token_str: said.transpose()?,
                score: scores[token],
            })
        };
        let tokens = largest(&scores, TOP).into_iter().map(token);
        Ok(Next {
            next: tokens.collect::<Result<_>>()?,
        })
    };
    (0..logits.rows()).map(next).collect()
}
