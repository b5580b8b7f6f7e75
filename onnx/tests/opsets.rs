//! Every operator set that is served, in the runtimes that read it.
#![allow(clippy::unwrap_used)]

mod common;

use burn::module::Module;
use burn::nn::attention::{MhaInput, MultiHeadAttention, MultiHeadAttentionConfig};
use burn::nn::{
    Embedding, EmbeddingConfig, LayerNorm, LayerNormConfig, Linear, LinearConfig, RmsNorm,
    RmsNormConfig,
};
use burn::tensor::{Device, activation};
use common::{ALL, distance, inputs, ints};
use fluxo_onnx::{Args, Error, Input, Options, Outputs, Spec, evaluate, export};

#[derive(Module, Debug)]
struct Layer {
    embedding: Embedding,
    norm: LayerNorm,
    attention: MultiHeadAttention,
    rms: RmsNorm,
    linear: Linear,
}

impl Layer {
    fn new() -> Self {
        let device = Device::flex();
        device.seed(7);
        Self {
            embedding: EmbeddingConfig::new(11, 8).init(&device),
            norm: LayerNormConfig::new(8).init(&device),
            attention: MultiHeadAttentionConfig::new(8, 2).init(&device),
            rms: RmsNormConfig::new(8).init(&device),
            linear: LinearConfig::new(8, 8).init(&device),
        }
    }

    /// With every reduction beside the layers.
    fn forward(&self, args: &mut Args) -> Outputs {
        let x = self.embedding.forward(args.int::<2>("ids")); // [batch, seq, 8]
        let x = self.norm.forward(x);
        let x = x.clone() + self.attention.forward(MhaInput::self_attn(x)).context;
        let x = x.clone() + activation::gelu(self.linear.forward(self.rms.forward(x)));
        let x = x.clone() * activation::sigmoid(x);
        let last = x.clone().max_dim(1) - x.clone().min_dim(2) + x.clone().sum_dim(1);
        Outputs::new()
            .float("y", x.clone())
            .float("last", last)
            .float("product", x.clone().prod_dim(2))
            .float("mean", x.mean())
    }
}

fn spec() -> Spec {
    Spec::new("layer").input(Input::int("ids", ["batch", "sequence"]))
}

/// 16 products of rounded numbers in a row: float32 noise, and no more.
const NEAR: f64 = 2e-6;

#[test]
fn every_set_gives_the_same_numbers() {
    let layer = Layer::new();
    let mut wrong = Vec::new();
    for opset in 17..=24 {
        let options = Options {
            opset,
            ..Options::default()
        };
        let model = export(&layer, &spec(), &options, Layer::forward).unwrap();
        assert_eq!(model.opset(), opset);
        let bytes = model.to_bytes().unwrap();
        for (batch, sequence) in [(1, 1), (1, 3), (2, 1), (3, 6), (2, 17)] {
            let case = inputs([("ids", ints(&[batch, sequence], 0, 11, 3))]);
            let wanted = evaluate(&layer, &Device::flex(), &case, Layer::forward).unwrap();
            for runtime in ALL {
                let found = match runtime.run(&bytes, &model, &case) {
                    Ok(found) => found,
                    Err(error) => {
                        wrong.push(format!("{runtime:?} {opset}: {error}"));
                        continue;
                    }
                };
                for ((name, a), (_, b)) in wanted.iter().zip(&found) {
                    let gap = distance(a, b);
                    if !gap.clone().is_ok_and(|gap| gap <= NEAR) {
                        wrong.push(format!("{runtime:?} {opset} `{name}`: {gap:?}"));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn sets_that_are_not_served_are_refused() {
    for opset in [7, 16, 25] {
        let options = Options {
            opset,
            ..Options::default()
        };
        let error = export(&Layer::new(), &spec(), &options, Layer::forward).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("option opset {opset}: 17 to 24 are served")
        );
    }
}

#[test]
fn what_a_set_lacks_is_refused_with_the_set_that_has_it() {
    let layer = LinearConfig::new(2, 2).init(&Device::flex());
    let spec = Spec::new("bits").input(Input::int("x", ["n"]));
    let forward = |_: &Linear, args: &mut Args| {
        let x = args.int::<1>("x");
        Outputs::new().int("y", x.bitwise_and_scalar(3))
    };
    let options = Options {
        opset: 17,
        ..Options::default()
    };
    match export(&layer, &spec, &options, forward).unwrap_err() {
        Error::Unsupported(all) => {
            assert_eq!(all.len(), 1);
            let reason = all[0].reason.clone().unwrap();
            assert!(reason.contains("BitwiseAnd") && reason.contains("from opset 18"));
        }
        other => panic!("{other}"),
    }
    export(&layer, &spec, &Options::default(), forward).unwrap();
}
