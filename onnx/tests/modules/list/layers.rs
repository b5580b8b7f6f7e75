//! Linear layers, embeddings, norms, positions, distances, and what does nothing at inference.

use burn::nn::*;
use burn::tensor::{Device, Int, Tensor};

use super::Sink;

const X: &[&str] = &["batch sequence 4"];
const IMAGE: &[&str] = &["batch 4 height width"];
const PAIR: &[&str] = &["batch 4", "batch 4"];

pub fn rows(sink: &mut impl Sink) {
    let device = &Device::flex();
    macro_rules! on {
        ($shapes:ident, $rank:literal: $($name:literal $module:expr;)*) => {$(
            sink.row($name, $module, $shapes, |m, x: Tensor<$rank>| m.forward(x));
        )*};
    }
    on! { X, 3:
        "Linear" LinearConfig::new(4, 5).init(device);
        "Linear, without bias" LinearConfig::new(4, 5).with_bias(false).init(device);
        "Linear, column layout" LinearConfig::new(4, 5).with_layout(LinearLayout::Col).init(device);
        "Identity" Identity::new();
        "Dropout" DropoutConfig::new(0.5).init();
        "GaussianNoise" GaussianNoiseConfig::new(0.5).init();
        "LayerNorm" LayerNormConfig::new(4).init(device);
        "LayerNorm, without bias" LayerNormConfig::new(4).with_bias(false).init(device);
        "RmsNorm" RmsNormConfig::new(4).init(device);
        "Normalization" norm::NormalizationConfig::Rms(RmsNormConfig::new(4)).init(device);
        "PositionalEncoding" PositionalEncodingConfig::new(4).with_max_sequence_size(64).init(device);
        "RotaryEncoding" RotaryEncodingConfig::new(64, 4).init(device);
    }
    sink.row(
        "Linear, of a matrix",
        LinearConfig::new(4, 5).init(device),
        &["rows 4"],
        |m, x: Tensor<2>| m.forward(x),
    );
    sink.row(
        "RotaryEncoding, of heads, from a later position",
        RotaryEncodingConfig::new(64, 4).init(device),
        &["batch 2 sequence 4"],
        |m, x: Tensor<4>| m.apply(x, 3),
    );
    on! { IMAGE, 4:
        "BatchNorm" BatchNormConfig::new(4).init(device);
        "GroupNorm" GroupNormConfig::new(2, 4).init(device);
        "GroupNorm, not affine" GroupNormConfig::new(2, 4).with_affine(false).init(device);
        "InstanceNorm" InstanceNormConfig::new(4).init(device);
        "LocalResponseNorm" LocalResponseNormConfig::new(3).init();
    }
    sink.row(
        "BatchNorm, of a matrix",
        BatchNormConfig::new(4).init(device),
        &["batch 4"],
        |m, x: Tensor<2>| m.forward(x),
    );
    sink.row(
        "Embedding",
        EmbeddingConfig::new(6, 4).init(device),
        &["batch sequence"],
        |m, ids: Tensor<2, Int>| m.forward(ids),
    );
    sink.row(
        "CosineSimilarity",
        CosineSimilarityConfig::new().init(),
        PAIR,
        |m, (a, b): (Tensor<2>, Tensor<2>)| m.forward(a, b),
    );
    sink.row(
        "PairwiseDistance",
        PairwiseDistanceConfig::new().init(),
        PAIR,
        |m, (a, b): (Tensor<2>, Tensor<2>)| m.forward(a, b),
    );
}
