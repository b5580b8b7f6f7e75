//! Texts as tokens of limited number, and rows of them as tensors.

use burn::tensor::{Device, Int, Tensor, TensorData};
use fluxo_models::{Model, Text};

use crate::error::{Error, Result};

/// Texts into tokens, at most `longest` of them.
pub(crate) struct Encoder<'a> {
    text: &'a Text,
    model: &'a Model,
    longest: usize,
    /// How many tokens the tokenizer sets behind a text.
    behind: usize,
}

impl<'a> Encoder<'a> {
    /// The encoder of `model`.
    ///
    /// # Errors
    /// When the model reads no text, or its tokenizer fails.
    pub(crate) fn of(model: &'a Model, longest: usize) -> Result<Self> {
        let none = || Error::Config(format!("{} reads no text", model.family()));
        let text = model.text().ok_or_else(none)?;
        let (bare, full) = (text.encode_without_special("a")?, text.encode("a")?);
        let at = full
            .windows(bare.len().max(1))
            .position(|part| part == bare);
        let behind = at.map_or(0, |before| full.len() - before - bare.len());
        if longest <= full.len() - bare.len() {
            return Err(Error::Config(format!(
                "sequence_length = {longest} leaves no room beside the {} tokens that the \
                 tokenizer sets around a text",
                full.len() - bare.len()
            )));
        }
        Ok(Self {
            text,
            model,
            longest,
            behind,
        })
    }

    /// The tokens of `text`. Of a longer text the end is cut off, but not what the tokenizer
    /// sets behind it.
    pub(crate) fn encode(&self, text: &str) -> Result<Vec<u32>> {
        Ok(cut(self.text.encode(text)?, self.longest, self.behind))
    }

    /// The same with `end` as the last token, whether or not the tokenizer sets it there.
    pub(crate) fn ended(&self, text: &str, end: u32) -> Result<Vec<u32>> {
        let mut tokens = self.text.encode(text)?;
        let behind = match tokens.last() {
            Some(last) if *last == end => self.behind.max(1),
            _ => {
                tokens.push(end);
                self.behind + 1
            }
        };
        Ok(cut(tokens, self.longest, behind))
    }

    /// The token number `token`, which `key` of config.json names.
    ///
    /// # Errors
    /// When the model has no such token.
    pub(crate) fn known(&self, key: &str, token: usize) -> Result<u32> {
        let vocab = self.model.config().vocab_size();
        match u32::try_from(token) {
            Ok(known) if token < vocab => Ok(known),
            _ => Err(Error::Config(format!(
                "{key} is {token}, and the model has {vocab} tokens; give the tokenizer's own \
                 with --set model.{key}=N"
            ))),
        }
    }

    /// What rows are padded with: the mask hides it.
    pub(crate) fn padding(&self) -> Result<u32> {
        let padding = self.model.raw().count_opt("pad_token_id")?;
        self.known("pad_token_id", padding.unwrap_or_default())
    }
}

/// At most `longest` of `tokens`, the last `behind` of them always.
fn cut(mut tokens: Vec<u32>, longest: usize, behind: usize) -> Vec<u32> {
    if tokens.len() > longest {
        let behind = behind.min(longest);
        tokens.drain(longest - behind..tokens.len() - behind);
    }
    tokens
}

/// Rows of tokens, padded on the right to the longest.
pub(crate) struct Padded {
    ids: Vec<i64>,
    lengths: Vec<usize>,
    width: usize,
}

impl Padded {
    /// Pads `rows` with the token `padding`.
    pub(crate) fn of(rows: &[&[u32]], padding: u32) -> Self {
        let width = rows.iter().map(|row| row.len()).max().unwrap_or(0);
        let padded = |row: &&[u32]| {
            let mut ids: Vec<i64> = row.iter().map(|&token| i64::from(token)).collect();
            ids.resize(width, i64::from(padding));
            ids
        };
        Self {
            ids: rows.iter().flat_map(padded).collect(),
            lengths: rows.iter().map(|row| row.len()).collect(),
            width,
        }
    }

    /// Token numbers, `[rows, width]`.
    pub(crate) fn ids(&self, device: &Device) -> Tensor<2, Int> {
        let shape = [self.lengths.len(), self.width];
        Tensor::from_data(TensorData::new(self.ids.clone(), shape), device)
    }

    /// 1 for tokens and 0 for padding, `[rows, width]`.
    pub(crate) fn mask(&self, device: &Device) -> Tensor<2, Int> {
        let row = |&length: &usize| (0..self.width).map(move |at| i64::from(at < length));
        let mask: Vec<i64> = self.lengths.iter().flat_map(row).collect();
        let shape = [self.lengths.len(), self.width];
        Tensor::from_data(TensorData::new(mask, shape), device)
    }

    /// The numbers of the tokens among all `rows · width` places.
    pub(crate) fn places(&self) -> Vec<i64> {
        let rows = self.lengths.iter().enumerate();
        let places = |(row, length): (usize, &usize)| {
            let start = row * self.width;
            (start..start + length).map(|place| place as i64)
        };
        rows.flat_map(places).collect()
    }

    /// How many tokens there are.
    pub(crate) fn kept(&self) -> u64 {
        self.lengths.iter().sum::<usize>() as u64
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use fluxo_models::NewModelOptions;

    /// A model whose tokenizer sets 1 before a text and 2 behind it.
    fn model(dir: &std::path::Path) -> Model {
        let settings = NewModelOptions {
            set: vec![
                ("vocab_size".into(), "6".into()),
                ("eos_token_id".into(), "2".into()),
            ],
            ..NewModelOptions::default()
        };
        let mut model = Model::new("bart", &settings, 0, &Device::flex()).unwrap();
        let path = dir.join("tokenizer.json");
        let json = r#"{"version": "1.0", "added_tokens": [],
            "pre_tokenizer": {"type": "WhitespaceSplit"},
            "post_processor": {"type": "BertProcessing", "sep": ["</s>", 2], "cls": ["<s>", 1]},
            "model": {"type": "WordLevel", "unk_token": "?",
                      "vocab": {"?": 0, "<s>": 1, "</s>": 2, "a": 3, "b": 4, "c": 5}}}"#;
        std::fs::write(&path, json).unwrap();
        model.set_text(Text::from_file(&path).unwrap());
        model
    }

    #[test]
    fn long_texts_keep_what_stands_behind_them() {
        let dir = tempfile::tempdir().unwrap();
        let mut model = model(dir.path());
        let encoder = Encoder::of(&model, 4).unwrap();
        assert_eq!(encoder.encode("a").unwrap(), [1, 3, 2]);
        assert_eq!(encoder.encode("a b c").unwrap(), [1, 3, 4, 2]);
        assert_eq!(encoder.ended("a b c", 2).unwrap(), [1, 3, 4, 2]);
        assert_eq!(encoder.ended("a", 5).unwrap(), [1, 3, 2, 5]);
        assert_eq!(encoder.ended("a b", 5).unwrap(), [1, 3, 2, 5]);
        let error = Encoder::of(&model, 2).err().unwrap().to_string();
        assert!(
            error.contains("leaves no room beside the 2 tokens"),
            "{error}"
        );

        model.set_text(Text::bytes());
        let encoder = Encoder::of(&model, 3).unwrap();
        assert_eq!(encoder.encode("\u{1}\u{2}\u{3}\u{4}").unwrap(), [1, 2, 3]);
        assert_eq!(encoder.ended("\u{1}\u{3}\u{3}\u{4}", 2).unwrap(), [1, 3, 2]);
        let error = encoder.known("eos_token_id", 6).unwrap_err().to_string();
        assert!(
            error.contains("eos_token_id is 6, and the model has 6 tokens"),
            "{error}"
        );
    }

    #[test]
    fn rows_are_padded_to_the_longest() {
        let device = Device::flex();
        let padded = Padded::of(&[&[1, 2, 3], &[4]], 9);
        let values =
            |x: Tensor<2, Int>| x.to_data().convert::<i64>().try_into_vec::<i64>().unwrap();
        assert_eq!(values(padded.ids(&device)), [1, 2, 3, 4, 9, 9]);
        assert_eq!(values(padded.mask(&device)), [1, 1, 1, 1, 0, 0]);
        assert_eq!((padded.places(), padded.kept()), (vec![0, 1, 2, 3], 4));
    }
}
