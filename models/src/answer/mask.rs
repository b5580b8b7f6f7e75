//! What stands in the place of a mask. As transformers' `fill_mask.py`.

use serde::Serialize;

use super::numbers::{Output, largest, softmax};
use super::{Asked, Row, TOP};
use crate::error::Result;
use crate::tensors::Tensors;
use crate::text::Text;

/// The masks of one text.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Masks {
    /// Each, in order; none where the text has none.
    pub masks: Vec<Proposals>,
    /// The text with the likeliest token in the place of each.
    pub sentence: String,
    /// What stands for a token to be found.
    pub mask_token: String,
}

/// What may stand in the place of one mask, the likeliest first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Proposals {
    /// Its place among the tokens.
    pub index: usize,
    /// The likeliest tokens.
    pub tokens: Vec<Proposal>,
}

/// One token.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Proposal {
    /// Its number.
    pub token: u32,
    /// Its text.
    pub token_str: String,
    /// Its probability.
    pub score: f64,
    /// The text with it; other masks stay.
    pub sequence: String,
}

/// The masks of every row of `logits` `[rows, seq, vocab]`.
pub(super) fn masks(asked: &Asked<'_>, outputs: &Tensors) -> Result<Vec<Masks>> {
    let Some(logits) = Output::find(outputs, "logits", 3)? else {
        return Ok(Vec::new());
    };
    let text = asked.tokenizer()?;
    // Where no token stands for others, as among bytes, nothing is asked.
    let Some(mask) = text.special("mask_token")? else {
        return Ok(Vec::new());
    };
    let padding = text.special("pad_token")?;
    let rows = asked.rows.iter().enumerate();
    rows.map(|(at, row)| masks_of(at, row, &logits, text, mask, padding))
        .collect()
}

fn masks_of(
    at: usize,
    row: &Row,
    logits: &Output,
    text: &Text,
    mask: u32,
    padding: Option<u32>,
) -> Result<Masks> {
    let ids = &row.reading.ids;
    let places: Vec<usize> = (0..ids.len()).filter(|place| ids[*place] == mask).collect();
    let said = |filled: &[(usize, u32)]| {
        let mut ids = ids.clone();
        filled
            .iter()
            .for_each(|(place, token)| ids[*place] = *token);
        ids.retain(|id| Some(*id) != padding);
        // Masks that stay would go with the other special tokens.
        if places.len() == filled.len() {
            text.decode(&ids)
        } else {
            text.decode_with_special(&ids)
        }
    };
    let mut best = Vec::new();
    let proposals = |place: usize| {
        let scores = softmax(logits.at(at, place)?);
        let propose = |token: usize| {
            let number = token as u32;
            Ok(Proposal {
                token: number,
                token_str: text.decode_with_special(&[number])?,
                score: scores[token],
                sequence: said(&[(place, number)])?,
            })
        };
        let tokens = largest(&scores, TOP).into_iter().map(propose);
        let tokens: Vec<Proposal> = tokens.collect::<Result<_>>()?;
        best.extend(tokens.first().map(|first| (place, first.token)));
        Ok(Proposals {
            index: place,
            tokens,
        })
    };
    Ok(Masks {
        masks: places
            .iter()
            .copied()
            .map(proposals)
            .collect::<Result<_>>()?,
        sentence: said(&best)?,
        mask_token: text.token(mask).unwrap_or_default(),
    })
}
