//! A text as tokens that know where they come from.

use std::ops::Range;

use tokenizers::Encoding;

use super::{Kind, Text};
use crate::error::{Error, Result};

/// One text, or two that are read together, as a model reads them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reading {
    /// The token numbers.
    pub ids: Vec<u32>,
    /// The type of each.
    pub types: Vec<u32>,
    /// Where each comes from; `None` for what the tokenizer sets around the text.
    pub places: Vec<Option<Place>>,
}

/// Where a token comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Whether it is of the second text.
    pub second: bool,
    /// Its first character and the one behind its last.
    pub span: (usize, usize),
    /// The same of the word that it is a part of, where the tokenizer knows of words.
    pub word: Option<(usize, usize)>,
}

impl Text {
    /// `text`, and `pair` behind it where there is one, with the tokens that the tokenizer sets
    /// around them.
    ///
    /// # Errors
    /// When the tokenizer refuses the text, or tokens are bytes, which have no second text.
    pub fn read(&self, text: &str, pair: Option<&str>) -> Result<Reading> {
        let Kind::Tokenizer { tokenizer, .. } = &self.0 else {
            return match pair {
                None => Ok(bytes(text)),
                Some(_) => Err(Error::Text(
                    "the model reads bytes, and nothing tells a second text from the first".into(),
                )),
            };
        };
        let encoding = match pair {
            Some(pair) => tokenizer.encode_char_offsets((text, pair), true),
            None => tokenizer.encode_char_offsets(text, true),
        };
        encoding
            .map(|encoding| reading(&encoding))
            .map_err(|e| Error::Text(e.to_string()))
    }

    /// `text` and `pair` in windows of at most `longest` tokens: `text` in each, of `pair` as
    /// much as fits, `stride` tokens of it in two windows that follow each other.
    ///
    /// # Errors
    /// As [`Text::read`]; also when `text` alone leaves no room.
    pub fn windows(
        &self,
        text: &str,
        pair: &str,
        longest: usize,
        stride: usize,
    ) -> Result<Vec<Reading>> {
        let whole = self.read(text, Some(pair))?;
        let length = whole.ids.len();
        let second = |at: &usize| whole.places[*at].is_some_and(|place| place.second);
        let (Some(from), true) = ((0..length).find(second), length > longest) else {
            return Ok(vec![whole]);
        };
        let count = (0..length).filter(second).count();
        let around = length - count;
        if around + stride >= longest {
            return Err(Error::Text(format!(
                "the first text takes {around} of {longest} tokens, which leaves too little for \
                 the second; shorten it"
            )));
        }
        // Not cut by the tokenizer, which passes over what is behind the first window.
        let room = longest - around;
        let mut windows = Vec::new();
        for start in (0..count).step_by(room - stride) {
            let stop = (start + room).min(count);
            windows.push(whole.window(from, count, start..stop));
            if stop == count {
                break;
            }
        }
        Ok(windows)
    }
}

impl Reading {
    /// What stands around the `count` tokens from `from` on, and `kept` of them.
    fn window(&self, from: usize, count: usize, kept: Range<usize>) -> Self {
        let kept = from + kept.start..from + kept.end;
        let at = (0..from).chain(kept).chain(from + count..self.ids.len());
        let at: Vec<usize> = at.collect();
        let mut places: Vec<Option<Place>> = at.iter().map(|&at| self.places[at]).collect();
        // Of a word that is cut there is as much as there are tokens.
        let parts = places.clone();
        for place in places.iter_mut().flatten() {
            let own = |part: &&Place| part.second == place.second && part.word == place.word;
            let part = parts.iter().flatten().filter(own);
            let span = part.fold(place.span, |(from, to), part| {
                (from.min(part.span.0), to.max(part.span.1))
            });
            place.word = place.word.map(|_| span);
        }
        Self {
            ids: at.iter().map(|&at| self.ids[at]).collect(),
            types: at.iter().map(|&at| self.types[at]).collect(),
            places,
        }
    }
}

fn reading(encoding: &Encoding) -> Reading {
    let texts = encoding.get_sequence_ids();
    let set = encoding.get_special_tokens_mask();
    let place = |at: usize| {
        let text = texts.get(at).copied().flatten().filter(|_| set[at] == 0)?;
        let word = encoding.token_to_word(at);
        Some(Place {
            second: text == 1,
            span: encoding.get_offsets()[at],
            word: word.and_then(|(text, word)| encoding.word_to_chars(word, text)),
        })
    };
    Reading {
        ids: encoding.get_ids().to_vec(),
        types: encoding.get_type_ids().to_vec(),
        places: (0..encoding.len()).map(place).collect(),
    }
}

/// A byte a token; those of a character stand where it does.
fn bytes(text: &str) -> Reading {
    let each = text.chars().enumerate().flat_map(|(at, letter)| {
        let place = Place {
            second: false,
            span: (at, at + 1),
            word: None,
        };
        std::iter::repeat_n(Some(place), letter.len_utf8())
    });
    Reading {
        ids: text.bytes().map(u32::from).collect(),
        types: vec![0; text.len()],
        places: each.collect(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::Path;

    use super::*;

    fn bert() -> Text {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/text/bert");
        Text::from_folder(&dir).unwrap().unwrap()
    }

    #[test]
    fn tokens_know_their_characters() {
        let text = "über the stream";
        let read = bert().read(text, None).unwrap();
        assert_eq!(read.ids, bert().encode(text).unwrap());
        assert_eq!((read.places[0], read.places.last()), (None, Some(&None)));
        let letters: Vec<char> = text.chars().collect();
        let own = read.places.iter().flatten();
        let said: String = own
            .flat_map(|place| &letters[place.span.0..place.span.1])
            .collect();
        assert_eq!(said, "überthestream");
        let last = read.places.iter().flatten().next_back().unwrap();
        assert_eq!(last.word, Some((9, 15)));
    }

    #[test]
    fn bytes_of_a_character_stand_where_it_does() {
        let read = Text::bytes().read("aé", None).unwrap();
        let spans: Vec<_> = read.places.iter().map(|p| p.unwrap().span).collect();
        assert_eq!(spans, [(0, 1), (1, 2), (1, 2)]);
        assert!(Text::bytes().read("a", Some("b")).is_err());
    }

    #[test]
    fn windows_cover_the_second_text_and_overlap() {
        let text = bert();
        let (question, context) = ("the stream", "layers and the residuals of the stream");
        let whole = text.read(question, Some(context)).unwrap();
        let around = whole.places.iter().filter(|p| !p.is_some_and(|p| p.second));
        let longest = around.count() + 5;
        let windows = text.windows(question, context, longest, 2).unwrap();
        assert!(windows.len() > 1);
        let spans = |reading: &Reading| -> Vec<(usize, usize)> {
            let second = reading.places.iter().flatten().filter(|p| p.second);
            second.map(|place| place.span).collect()
        };
        let mut covered = spans(&windows[0]);
        for window in &windows[1..] {
            assert!(window.ids.len() <= longest);
            let own = spans(window);
            assert_eq!(own[..2], covered[covered.len() - 2..]);
            covered.extend(&own[2..]);
        }
        assert_eq!(covered, spans(&whole));
        let error = text.windows(question, context, 5, 2).unwrap_err();
        assert!(error.to_string().contains("shorten it"), "{error}");
        assert_eq!(text.windows(question, context, 999, 2).unwrap(), [whole]);
    }
}
