//! Next-token prediction: the cross entropy of every token given those before it.

use burn::nn::loss::CrossEntropyLossConfig;
use burn::tensor::{Device, Int, Tensor, TensorData};
use fluxo_models::{Batch, Network, Taps};

/// Blocks as inputs and targets: the targets are the inputs moved by one.
pub(crate) struct Rows {
    inputs: Tensor<2, Int>,  // [batch, seq]
    targets: Tensor<1, Int>, // [batch * seq]
}

impl Rows {
    /// `blocks` of `seq + 1` tokens each, on `device`.
    pub(crate) fn new(blocks: &[Vec<i64>], device: &Device) -> Self {
        let batch = blocks.len();
        let seq = blocks.first().map_or(0, |b| b.len().saturating_sub(1));
        let inputs: Vec<i64> = blocks.iter().flat_map(|b| &b[..seq]).copied().collect();
        let targets: Vec<i64> = blocks.iter().flat_map(|b| &b[1..]).copied().collect();
        Self {
            inputs: Tensor::from_data(TensorData::new(inputs, [batch, seq]), device),
            targets: Tensor::from_data(TensorData::new(targets, [batch * seq]), device),
        }
    }
}

/// The mean loss over `rows`, in nats a token: `[1]`; none for a network without logits.
pub(crate) fn loss(network: &Network, rows: Rows) -> Option<Tensor<1>> {
    let output = network.forward(Batch::new(rows.inputs), &mut Taps::off());
    let logits = output.logits?; // [batch, seq, vocab]
    let [batch, seq, vocab] = logits.dims();
    let loss = CrossEntropyLossConfig::new().init(&logits.device());
    Some(loss.forward(logits.reshape([batch * seq, vocab]), rows.targets))
}
