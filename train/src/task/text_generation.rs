//! Next-token prediction: the cross entropy of every token given those before it.
//!
//! The data are text files, or folders of them; an example is a block of `sequence_length`
//! tokens and the one after them.

use burn::tensor::{Device, Tensor, TensorData};
use fluxo_models::{Batch, Model, Network, Taps, Text};

use super::{Loss, cross_entropy, logits};
use crate::config::TrainConfig;
use crate::data::{Corpus, Row, Split};
use crate::error::Result;

/// Text to go on with.
pub(super) struct TrainingTask {
    corpus: Corpus,
}

impl TrainingTask {
    /// Reads the files of `config`.
    pub(super) fn open(config: &TrainConfig, text: &Text) -> Result<Self> {
        let corpus = Corpus::load(config, text, config.sequence_length + 1, None)?;
        Ok(Self { corpus })
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
        let blocks = self.corpus.lengths(split, rows);
        blocks.map(|length| length - 1).sum()
    }

    fn loss(&self, network: &Network, split: Split, rows: &[Row], device: &Device) -> Result<Loss> {
        let blocks = self.corpus.blocks(split, rows);
        let batch = blocks.len();
        let seq = blocks.first().map_or(0, |block| block.len() - 1);
        let inputs: Vec<i64> = blocks.iter().flat_map(|b| &b[..seq]).copied().collect();
        let targets: Vec<i64> = blocks.iter().flat_map(|b| &b[1..]).copied().collect();
        next_tokens(network, inputs, targets, [batch, seq], device)
    }
}

/// The loss of `network` on `inputs`, rows of `seq` tokens, where `targets` are to be told at each.
///
/// # Errors
/// When the network has no head for it.
pub(crate) fn next_tokens(
    network: &Network,
    inputs: Vec<i64>,
    targets: Vec<i64>,
    [batch, seq]: [usize; 2],
    device: &Device,
) -> Result<Loss> {
    let inputs = Tensor::from_data(TensorData::new(inputs, [batch, seq]), device);
    let targets = Tensor::from_data(TensorData::new(targets, [batch * seq]), device);
    let logits = logits(network.forward(Batch::new(inputs), &mut Taps::off()))?;
    let [_, _, vocab] = logits.dims();
    Ok(Loss {
        mean: cross_entropy(logits.reshape([batch * seq, vocab]), targets),
        tokens: (batch * seq) as u64,
        decided: None,
    })
}
