//! Labels of tokens, and what they make together: transformers' `token_classification.py`, its
//! aggregation "simple".

use serde::Serialize;

use super::labels::Names;
use super::numbers::{Output, largest, slice, softmax};
use super::{Asked, Row};
use crate::error::Result;
use crate::tensors::Tensors;
use crate::text::Text;

/// The label of what is nothing.
const OUTSIDE: &str = "O";

/// The labels of one text's tokens.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entities {
    /// Every token of the text, those that the tokenizer sets around it left out.
    pub tokens: Vec<TaggedToken>,
    /// What follows each other with one label, what is nothing left out.
    pub entities: Vec<Entity>,
}

/// A token and its likeliest label.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TaggedToken {
    /// The label.
    pub entity: String,
    /// Its probability.
    pub score: f64,
    /// The token's place.
    pub index: usize,
    /// The token as the vocabulary has it.
    pub word: String,
    /// Its first character.
    pub start: usize,
    /// The one behind its last.
    pub end: usize,
}

/// Tokens that are one thing together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entity {
    /// The label, without what says whether it begins or goes on.
    pub entity_group: String,
    /// The mean probability of its tokens.
    pub score: f64,
    /// Its text, as the tokenizer joins tokens.
    pub word: String,
    /// Its first character.
    pub start: usize,
    /// The one behind its last.
    pub end: usize,
}

/// Of every row of `logits` `[rows, seq, labels]`.
pub(super) fn entities(asked: &Asked<'_>, outputs: &Tensors) -> Result<Vec<Entities>> {
    let Some(logits) = Output::find(outputs, "logits", 3)? else {
        return Ok(Vec::new());
    };
    let text = asked.tokenizer()?;
    let unknown = text.special("unk_token")?;
    let names = Names::of(asked.raw);
    let of = |(at, row): (usize, &Row)| {
        let tokens = tokens(at, row, &logits, text, unknown, &names)?;
        Ok(Entities {
            entities: grouped(&tokens, text)?,
            tokens,
        })
    };
    asked.rows.iter().enumerate().map(of).collect()
}

fn tokens(
    at: usize,
    row: &Row,
    logits: &Output,
    text: &Text,
    unknown: Option<u32>,
    names: &Names<'_>,
) -> Result<Vec<TaggedToken>> {
    let mut tokens = Vec::new();
    for (index, place) in row.reading.places.iter().enumerate() {
        let Some(place) = place else { continue };
        let scores = softmax(logits.at(at, index)?);
        let label = largest(&scores, 1)[0];
        let id = row.reading.ids[index];
        let word = if Some(id) == unknown {
            slice(&row.text, place.span)
        } else {
            text.token(id).unwrap_or_default()
        };
        tokens.push(TaggedToken {
            entity: names.name(label),
            score: scores[label],
            index,
            word,
            start: place.span.0,
            end: place.span.1,
        });
    }
    Ok(tokens)
}

/// Whether a label begins something, and of what: `B-PER`, `I-PER` and `PER` are of one kind.
fn kind(label: &str) -> (bool, &str) {
    match label.split_at_checked(2) {
        Some(("B-", kind)) => (true, kind),
        Some(("I-", kind)) => (false, kind),
        _ => (false, label),
    }
}

fn grouped(tokens: &[TaggedToken], text: &Text) -> Result<Vec<Entity>> {
    let goes_on = |one: &TaggedToken, next: &TaggedToken| {
        let ((_, before), (begins, kind)) = (kind(&one.entity), kind(&next.entity));
        before == kind && !begins
    };
    let entity = |group: &[TaggedToken]| {
        let scores = group.iter().map(|token| token.score);
        let words = group.iter().map(|token| token.word.clone());
        let label = &group[0].entity;
        let name = label
            .split_once('-')
            .map_or(label.as_str(), |(_, name)| name);
        Ok(Entity {
            entity_group: name.to_string(),
            score: scores.sum::<f64>() / group.len() as f64,
            word: text.joined(words.collect())?,
            start: group[0].start,
            end: group[group.len() - 1].end,
        })
    };
    let groups = tokens.chunk_by(goes_on).map(entity);
    let something = |entity: &Result<Entity>| !matches!(entity, Ok(e) if e.entity_group == OUTSIDE);
    groups.filter(something).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_begins_does_not_go_on() {
        let token = |label: &str, at: usize| TaggedToken {
            entity: label.into(),
            score: 0.5,
            index: at,
            word: "a".into(),
            start: at,
            end: at + 1,
        };
        let labels = ["B-P", "I-P", "B-P", "O", "O", "I-Q", "I-P", "Q", "I-Q"];
        let tokens = labels.iter().enumerate();
        let tokens: Vec<_> = tokens.map(|(at, label)| token(label, at)).collect();
        let found = grouped(&tokens, &Text::bytes()).unwrap();
        let shown: Vec<_> = found
            .iter()
            .map(|e| (e.entity_group.as_str(), e.start, e.end))
            .collect();
        let expected = [
            ("P", 0, 2),
            ("P", 2, 3),
            ("Q", 5, 6),
            ("P", 6, 7),
            ("Q", 7, 9),
        ];
        assert_eq!(shown, expected);
        assert_eq!(found[0].word, "aa");
    }
}
