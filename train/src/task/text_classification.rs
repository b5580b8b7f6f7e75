//! Labels of texts: the cross entropy of each text's label.
//!
//! The data are lines of a text and its label ([`crate::data::pairs`], fields `text` and
//! `label`). The labels are those that occur, in order; `config.json` lists them as `id2label`.

use burn::tensor::Device;
use fluxo_models::head::Pooling;
use fluxo_models::{Batch, Model, Network, Taps};

use super::{Loss, labelled};
use crate::config::TrainConfig;
use crate::data::pairs::Pairs;
use crate::data::tokens::{Encoder, Padded};
use crate::data::{Row, Split, Splits, labels};
use crate::error::Result;

/// Texts and their labels.
pub(super) struct TrainingTask {
    pairs: Pairs,
    labels: Vec<String>,
    /// Tokens and the label's number.
    examples: Splits<(Vec<u32>, i64)>,
    padding: u32,
}

impl TrainingTask {
    /// Reads the files of `config`.
    pub(super) fn open(config: &TrainConfig) -> Result<Self> {
        let pairs = Pairs::load(config, ["text", "label"])?;
        let labels = labels(pairs.examples.all().map(|pair| pair.second.as_str()))?;
        Ok(Self {
            pairs,
            labels,
            examples: Splits::default(),
            padding: 0,
        })
    }
}

impl super::TrainingTask for TrainingTask {
    fn digest(&self) -> &str {
        &self.pairs.digest
    }

    fn labels(&self) -> &[String] {
        &self.labels
    }

    fn fit(&mut self, model: &Model, config: &TrainConfig) -> Result<()> {
        let encoder = Encoder::of(model, config.sequence_length)?;
        // The token that the head looks for, where it looks for one.
        let end = match model.config().head.as_ref().map(|head| head.read) {
            Some(Pooling::FirstOf(token) | Pooling::LastOf(token)) => {
                Some(encoder.known("eos_token_id", token)?)
            }
            _ => None,
        };
        self.padding = encoder.padding()?;
        self.examples = self.pairs.examples.map(|pair| {
            let tokens = match end {
                Some(end) => encoder.ended(&pair.first, end)?,
                None => encoder.encode(&pair.first)?,
            };
            let label = self.labels.iter().position(|label| *label == pair.second);
            Ok((tokens, label.unwrap_or_default() as i64))
        })?;
        Ok(())
    }

    fn examples(&self) -> usize {
        self.pairs.examples.training.len()
    }

    fn evaluated(&self, most: usize) -> Vec<usize> {
        self.pairs.examples.spread(most)
    }

    fn answers(&self, _split: Split, rows: &[Row]) -> usize {
        rows.len()
    }

    fn loss(&self, network: &Network, split: Split, rows: &[Row], device: &Device) -> Result<Loss> {
        let examples = self.examples.rows(split, rows);
        let tokens: Vec<&[u32]> = examples
            .iter()
            .map(|(tokens, _)| tokens.as_slice())
            .collect();
        let labels: Vec<i64> = examples.iter().map(|(_, label)| *label).collect();
        let padded = Padded::of(&tokens, self.padding);
        let batch = Batch {
            input_ids: Some(padded.ids(device)),
            attention_mask: Some(padded.mask(device)),
            ..Batch::default()
        };
        let output = network.forward(batch, &mut Taps::off());
        labelled(output, labels, padded.kept(), device)
    }
}
