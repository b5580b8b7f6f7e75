//! A module of our own agrees on two backends: what any project may write among its tests.

use burn::module::Module;
use burn::nn::{LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::{Distribution, Tensor, activation::gelu};
use fluxo_verify::assert_consistent;

#[derive(Module, Debug)]
struct Classifier {
    norm: LayerNorm,
    hidden: Linear,
    output: Linear,
}

impl Classifier {
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let x = gelu(self.hidden.forward(self.norm.forward(x))); // [batch, 32]
        self.output.forward(x) // [batch, 3]
    }
}

#[test]
fn the_classifier_is_the_same_everywhere() {
    let device = fluxo_backends::device("flex").unwrap_or_default();
    let classifier = Classifier {
        norm: LayerNormConfig::new(8).init(&device),
        hidden: LinearConfig::new(8, 32).init(&device),
        output: LinearConfig::new(32, 3).init(&device),
    };
    let x: Tensor<2> = Tensor::random([5, 8], Distribution::Default, &device);
    assert_consistent!(classifier, [x], on = ["flex", "ndarray"], |m, x| m
        .forward(x));
}
