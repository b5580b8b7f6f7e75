//! Texts from texts: the cross entropy of every token of the target, given the source and the
//! tokens before it.
//!
//! The data are lines of a source and its target ([`crate::data::pairs`], fields `source` and
//! `target`). A source is what the tokenizer makes of it; a target stands between the model's
//! start token and its end token.

use burn::tensor::{Device, Tensor, TensorData};
use fluxo_models::{Batch, Model, Network, Taps};

use super::{Loss, cross_entropy, logits};
use crate::config::TrainConfig;
use crate::data::pairs::Pairs;
use crate::data::tokens::{Encoder, Padded};
use crate::data::{Row, Split, Splits};
use crate::error::{Error, Result};

/// Sources and their targets.
pub(super) struct TrainingTask {
    pairs: Pairs,
    /// Tokens of the source, and of the target behind the start token.
    examples: Splits<(Vec<u32>, Vec<u32>)>,
    padding: u32,
}

impl TrainingTask {
    /// Reads the files of `config`.
    pub(super) fn open(config: &TrainConfig) -> Result<Self> {
        Ok(Self {
            pairs: Pairs::load(config, ["source", "target"])?,
            examples: Splits::default(),
            padding: 0,
        })
    }
}

impl super::TrainingTask for TrainingTask {
    fn digest(&self) -> &str {
        &self.pairs.digest
    }

    fn fit(&mut self, model: &Model, config: &TrainConfig) -> Result<()> {
        let encoder = Encoder::of(model, config.sequence_length)?;
        let no_end = || {
            Error::Config(
                "config.json has no eos_token_id, so a target has no end; give one with --set \
                 model.eos_token_id=N"
                    .into(),
            )
        };
        let ends = model.raw().end_tokens();
        let end = ends.first().copied().ok_or_else(no_end)? as usize;
        let end = encoder.known("eos_token_id", end)?;
        let start = model.config().decoder_start.unwrap_or_default();
        let start = encoder.known("decoder_start_token_id", start)?;
        self.padding = encoder.padding()?;
        self.examples = self.pairs.examples.map(|pair| {
            let source = encoder.encode(&pair.first)?;
            let mut target = vec![start];
            target.extend(encoder.ended(&pair.second, end)?);
            Ok((source, target))
        })?;
        Ok(())
    }

    fn examples(&self) -> usize {
        self.pairs.examples.training.len()
    }

    fn evaluated(&self, most: usize) -> Vec<usize> {
        self.pairs.examples.spread(most)
    }

    fn answers(&self, split: Split, rows: &[Row]) -> usize {
        let examples = self.examples.rows(split, rows);
        examples.iter().map(|(_, target)| target.len() - 1).sum()
    }

    fn loss(&self, network: &Network, split: Split, rows: &[Row], device: &Device) -> Result<Loss> {
        let examples = self.examples.rows(split, rows);
        let sources: Vec<&[u32]> = examples
            .iter()
            .map(|(source, _)| source.as_slice())
            .collect();
        let read: Vec<&[u32]> = examples
            .iter()
            .map(|(_, target)| &target[..target.len() - 1])
            .collect();
        let targets = examples.iter().flat_map(|(_, target)| &target[1..]);
        let targets: Vec<i64> = targets.map(|token| i64::from(*token)).collect();
        let (source, read) = (
            Padded::of(&sources, self.padding),
            Padded::of(&read, self.padding),
        );
        let batch = Batch {
            input_ids: Some(source.ids(device)),
            attention_mask: Some(source.mask(device)),
            decoder_input_ids: Some(read.ids(device)),
            decoder_attention_mask: Some(read.mask(device)),
            ..Batch::default()
        };
        let answers = targets.len();
        let logits = logits(network.forward(batch, &mut Taps::off()))?;
        let [rows, seq, vocab] = logits.dims();
        let places = Tensor::from_data(TensorData::new(read.places(), [answers]), device);
        let logits = logits.reshape([rows * seq, vocab]).select(0, places);
        let targets = Tensor::from_data(TensorData::new(targets, [answers]), device);
        Ok(Loss {
            mean: cross_entropy(logits, targets),
            tokens: source.kept() + read.kept(),
            decided: None,
        })
    }
}
