//! Masked language modelling (arXiv:1810.04805, section 3.1): the cross entropy of the tokens
//! that were hidden.
//!
//! The data are text files, or folders of them; an example is a block of `sequence_length`
//! tokens. In each row 15 % of the tokens (at least one) are to be told: of these 80 % become
//! the mask token, 10 % any token, and 10 % stay. Text that is read as bytes has no token to
//! spare, so there byte 0 stands for the mask, which text never holds.

use burn::tensor::{Device, Tensor, TensorData};
use fluxo_models::{Batch, Model, Network, Taps, Text};

use super::{Loss, cross_entropy, logits};
use crate::config::TrainConfig;
use crate::data::{Corpus, Row, Split, sampler};
use crate::error::{Error, Result};

/// Share of the tokens that is to be told.
const HIDDEN: f64 = 0.15;
/// What tokenizers call their mask.
const MASKS: [&str; 2] = ["[MASK]", "<mask>"];
/// What stands for the mask among bytes.
const MASK_BYTE: u8 = 0;

/// Text to fill in.
pub(super) struct TrainingTask {
    corpus: Corpus,
    mask: i64,
    vocab: usize,
}

impl TrainingTask {
    /// Reads the files of `config`.
    pub(super) fn open(config: &TrainConfig, text: &Text) -> Result<Self> {
        let (mask, refused) = if text.is_bytes() {
            (i64::from(MASK_BYTE), Some(MASK_BYTE))
        } else {
            (mask(text)?, None)
        };
        Ok(Self {
            corpus: Corpus::load(config, text, config.sequence_length, refused)?,
            mask,
            vocab: text.vocab_size(),
        })
    }

    /// Hides tokens of `block`: where they stood, and what they were.
    fn hide(&self, block: &mut [i64], noise: u64) -> Vec<(usize, i64)> {
        let count = hidden(block.len());
        let mut draws = 0;
        let mut below = |limit: usize| {
            draws += 1;
            sampler::start(noise, draws, 0, limit)
        };
        // The first steps of a shuffle.
        let mut places: Vec<usize> = (0..block.len()).collect();
        for at in 0..count {
            let other = at + below(places.len() - at);
            places.swap(at, other);
        }
        let hide = |place: usize| {
            let token = block[place];
            match below(10) {
                0 => block[place] = below(self.vocab) as i64,
                1 => {}
                _ => block[place] = self.mask,
            }
            (place, token)
        };
        places[..count].iter().copied().map(hide).collect()
    }
}

impl super::TrainingTask for TrainingTask {
    fn digest(&self) -> &str {
        &self.corpus.digest
    }

    fn fit(&mut self, _model: &Model, _config: &TrainConfig) -> Result<()> {
        Ok(())
    }

    fn examples(&self) -> usize {
        self.corpus.train.places()
    }

    fn evaluated(&self, most: usize) -> Vec<usize> {
        self.corpus.validation.spread(most)
    }

    fn answers(&self, split: Split, rows: &[Row]) -> usize {
        self.corpus.lengths(split, rows).map(hidden).sum()
    }

    fn loss(&self, network: &Network, split: Split, rows: &[Row], device: &Device) -> Result<Loss> {
        let mut blocks = self.corpus.blocks(split, rows);
        let batch = blocks.len();
        let seq = blocks.first().map_or(0, Vec::len);
        let (mut places, mut targets) = (Vec::new(), Vec::new());
        for (row, block) in blocks.iter_mut().enumerate() {
            for (place, token) in self.hide(block, rows[row].noise) {
                places.push((row * seq + place) as i64);
                targets.push(token);
            }
        }
        let answers = targets.len();
        let inputs = TensorData::new(blocks.concat(), [batch, seq]);
        let inputs = Tensor::from_data(inputs, device);
        let logits = logits(network.forward(Batch::new(inputs), &mut Taps::off()))?;
        let [_, _, vocab] = logits.dims();
        let places = Tensor::from_data(TensorData::new(places, [answers]), device);
        let logits = logits.reshape([batch * seq, vocab]).select(0, places);
        let targets = Tensor::from_data(TensorData::new(targets, [answers]), device);
        Ok(Loss {
            mean: cross_entropy(logits, targets),
            tokens: (batch * seq) as u64,
            decided: None,
        })
    }
}

/// How many tokens of a block of `length` are hidden.
fn hidden(length: usize) -> usize {
    ((length as f64 * HIDDEN).round() as usize).max(1)
}

/// The number of the tokenizer's mask token.
fn mask(text: &Text) -> Result<i64> {
    // A word that no vocabulary has: what it becomes stands for anything unknown.
    let unknown = text.encode_without_special("\u{f8ff}")?;
    for name in MASKS {
        match text.encode_without_special(name)?.as_slice() {
            [mask] if !unknown.contains(mask) => return Ok(i64::from(*mask)),
            _ => {}
        }
    }
    Err(Error::Config(format!(
        "the tokenizer has no mask token ({}), so fill-mask cannot be learned with it; take \
         another, or none for bytes",
        MASKS.join(" or ")
    )))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn lesson(dir: &std::path::Path, sequence_length: usize) -> Result<TrainingTask> {
        let mut config = TrainConfig::new("bert", vec![dir.into()], dir);
        config.sequence_length = sequence_length;
        config.validation_fraction = 0.5;
        TrainingTask::open(&config, &Text::bytes())
    }

    #[test]
    fn shares_are_those_of_the_paper() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a"), "a".repeat(400)).unwrap();
        let lesson = lesson(dir.path(), 100).unwrap();
        let (mut masked, mut other, mut same) = (0, 0, 0);
        for noise in 0..1000 {
            let mut block = vec![97; 100];
            let hidden = lesson.hide(&mut block, noise);
            assert_eq!(hidden.len(), 15);
            let places: std::collections::BTreeSet<_> = hidden.iter().map(|h| h.0).collect();
            assert_eq!(places.len(), 15);
            for (place, token) in hidden {
                assert_eq!(token, 97);
                match block[place] {
                    0 => masked += 1,
                    97 => same += 1,
                    _ => other += 1,
                }
            }
            let untouched = (0..100).filter(|place| !places.contains(place));
            assert!(untouched.into_iter().all(|place| block[place] == 97));
            let mut again = vec![97; 100];
            lesson.hide(&mut again, noise);
            assert_eq!(again, block);
        }
        // 15000 draws: 12000 and 1500 expected, deviations 49 and 37; five of them either way.
        // One of 256 random bytes is each of the mask and the token itself.
        assert!((11750..12260).contains(&masked), "{masked}");
        assert!(
            (1310..1690).contains(&other) && (1310..1700).contains(&same),
            "{other} {same}"
        );
    }

    #[test]
    fn a_short_block_hides_one_token() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a"), "abcdef").unwrap();
        let lesson = lesson(dir.path(), 2).unwrap();
        assert_eq!(lesson.hide(&mut [98, 99], 5).len(), 1);
    }

    #[test]
    fn the_byte_of_the_mask_is_refused_in_the_text() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a");
        std::fs::write(&file, [b"ab\ncd".repeat(2000), vec![0]].concat()).unwrap();
        let error = lesson(dir.path(), 4).err().unwrap().to_string();
        assert!(
            error.contains("line 2001") && error.contains("byte 0"),
            "{error}"
        );
    }

    #[test]
    fn masks_are_found_in_tokenizers() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tokenizer.json");
        let write = |added: &str| {
            let json = format!(
                r#"{{"version": "1.0", "added_tokens": [{added}],
                    "pre_tokenizer": {{"type": "WhitespaceSplit"}},
                    "model": {{"type": "WordLevel", "unk_token": "?",
                               "vocab": {{"?": 0, "a": 1, "<mask>": 2}}}}}}"#
            );
            std::fs::write(&path, json).unwrap();
            mask(&Text::from_file(&path).unwrap())
        };
        let added = r#"{"id": 2, "content": "<mask>", "single_word": false, "lstrip": false,
                        "rstrip": false, "normalized": false, "special": true}"#;
        assert_eq!(write(added).unwrap(), 2);
        let json = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, json.replace("<mask>", "<nothing>")).unwrap();
        let error = mask(&Text::from_file(&path).unwrap())
            .unwrap_err()
            .to_string();
        assert!(error.contains("no mask token"), "{error}");
    }
}
