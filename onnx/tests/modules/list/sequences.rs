//! Attention, transformers, and recurrent modules.

use burn::nn::attention::*;
use burn::nn::transformer::*;
use burn::nn::*;
use burn::tensor::{Bool, Device, Tensor};

use super::Sink;

const X: &[&str] = &["batch sequence 4"];
const MASKED: &[&str] = &["batch sequence 4", "batch sequence"];
const TWO: &[&str] = &["batch sequence 4", "batch memory 4", "batch memory"];
/// A recurrent module records its steps one by one, so its sequence has a fixed length.
const STEPS: &[&str] = &["batch sequence 4"];

type Masked = (Tensor<3>, Tensor<2, Bool>);
type Two = (Tensor<3>, Tensor<3>, Tensor<2, Bool>);

pub fn rows(sink: &mut impl Sink) {
    attention(sink);
    transformers(sink);
    recurrent(sink);
}

fn causal(x: &Tensor<3>) -> Tensor<3, Bool> {
    let [batch, sequence, _] = x.dims();
    generate_autoregressive_mask(batch, sequence, &x.device())
}

fn attention(sink: &mut impl Sink) {
    let device = &Device::flex();
    let heads = || MultiHeadAttentionConfig::new(4, 2);
    sink.row(
        "MultiHeadAttention",
        heads().init(device),
        X,
        |m, x: Tensor<3>| {
            let out = m.forward(MhaInput::self_attn(x));
            (out.context, out.weights)
        },
    );
    sink.row(
        "MultiHeadAttention, causal, padded, quiet softmax",
        heads().with_quiet_softmax(true).init(device),
        MASKED,
        |m, (x, mask): Masked| {
            let causal = causal(&x);
            let input = MhaInput::self_attn(x).mask_attn(causal).mask_pad(mask);
            m.forward(input).context
        },
    );
    sink.row(
        "MultiHeadAttention, of two sequences",
        heads().init(device),
        TWO,
        |m, (x, memory, mask): Two| {
            let input = MhaInput::new(x, memory.clone(), memory).mask_pad(mask);
            m.forward(input).context
        },
    );
    sink.row(
        "CrossAttention",
        CrossAttentionConfig::new(4, 4, 4, 2, 3).init(device),
        TWO,
        |m, (x, memory, mask): Two| m.forward(x, memory, Some(mask)),
    );
}

fn transformers(sink: &mut impl Sink) {
    let device = &Device::flex();
    sink.row(
        "PositionWiseFeedForward",
        PositionWiseFeedForwardConfig::new(4, 8).init(device),
        X,
        |m, x: Tensor<3>| m.forward(x),
    );
    let encoder = || TransformerEncoderConfig::new(4, 8, 2, 2);
    sink.row(
        "TransformerEncoder",
        encoder().init(device),
        MASKED,
        |m, (x, mask): Masked| m.forward(TransformerEncoderInput::new(x).mask_pad(mask)),
    );
    sink.row(
        "TransformerEncoder, norm first, causal",
        encoder().with_norm_first(true).init(device),
        X,
        |m, x: Tensor<3>| {
            let causal = causal(&x);
            m.forward(TransformerEncoderInput::new(x).mask_attn(causal))
        },
    );
    sink.row(
        "TransformerEncoderLayer",
        TransformerEncoderLayer::new(&encoder(), device),
        MASKED,
        |m, (x, mask): Masked| m.forward(x, Some(mask), None),
    );
    let decoder = || TransformerDecoderConfig::new(4, 8, 2, 2);
    sink.row(
        "TransformerDecoder",
        decoder().init(device),
        TWO,
        |m, (x, memory, mask): Two| {
            let causal = causal(&x);
            let input = TransformerDecoderInput::new(x, memory);
            m.forward(input.target_mask_attn(causal).memory_mask_pad(mask))
        },
    );
    sink.row(
        "TransformerDecoder, norm first",
        decoder().with_norm_first(true).init(device),
        TWO,
        |m, (x, memory, mask): Two| {
            m.forward(TransformerDecoderInput::new(x, memory).memory_mask_pad(mask))
        },
    );
}

fn recurrent(sink: &mut impl Sink) {
    let device = &Device::flex();
    sink.row(
        "GateController",
        GateController::new(4, 3, true, Initializer::XavierNormal { gain: 1.0 }, device),
        &["batch 4", "batch 3"],
        |m, (x, hidden): (Tensor<2>, Tensor<2>)| m.gate_product(x, hidden),
    );
    sink.row(
        "Rnn",
        RnnConfig::new(4, 3, true).init(device),
        STEPS,
        |m, x: Tensor<3>| {
            let (out, state) = m.forward(x, None);
            (out, state.hidden)
        },
    );
    sink.row(
        "BiRnn",
        BiRnnConfig::new(4, 3, true).init(device),
        STEPS,
        |m, x: Tensor<3>| {
            let (out, state) = m.forward(x, None);
            (out, state.hidden)
        },
    );
    sink.row(
        "Gru",
        GruConfig::new(4, 3, true).init(device),
        STEPS,
        |m, x: Tensor<3>| m.forward(x, None),
    );
    sink.row(
        "Gru, with a state, reset before",
        GruConfig::new(4, 3, true)
            .with_reset_after(false)
            .init(device),
        &["batch sequence 4", "batch 3"],
        |m, (x, state): (Tensor<3>, Tensor<2>)| m.forward(x, Some(state)),
    );
    sink.row(
        "BiGru",
        BiGruConfig::new(4, 3, true).init(device),
        STEPS,
        |m, x: Tensor<3>| m.forward(x, None),
    );
    sink.row(
        "Lstm",
        LstmConfig::new(4, 3, true).init(device),
        STEPS,
        |m, x: Tensor<3>| {
            let (out, state) = m.forward(x, None);
            (out, state.hidden, state.cell)
        },
    );
    sink.row(
        "Lstm, with a state, reversed",
        LstmConfig::new(4, 3, true).with_reverse(true).init(device),
        &["batch sequence 4", "batch 3", "batch 3"],
        |m, (x, hidden, cell): (Tensor<3>, Tensor<2>, Tensor<2>)| {
            m.forward(x, Some(LstmState::new(cell, hidden))).0
        },
    );
    sink.row(
        "BiLstm",
        BiLstmConfig::new(4, 3, true).init(device),
        STEPS,
        |m, x: Tensor<3>| {
            let (out, state) = m.forward(x, None);
            (out, state.hidden, state.cell)
        },
    );
}
