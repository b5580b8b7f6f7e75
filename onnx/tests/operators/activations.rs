//! Products, norms and activations.

use burn::tensor::activation::*;
use burn::tensor::module::{layer_norm, linear};

use crate::case::*;

#[test]
fn products_norms_and_activations() {
    check(&[
        ("matmul", BOTH, |mut a| f(a.x().matmul(a.y().transpose()))),
        ("matmul weight", BOTH, |mut a| {
            let w = a.1.matrix.val().transpose();
            f(a.x().matmul(w.unsqueeze()))
        }),
        ("linear", BOTH, |mut a| {
            let w = a.1.matrix.val().transpose();
            f(linear(a.x(), w, None))
        }),
        ("layer norm", BOTH, |mut a| {
            let g = a.1.vector.val();
            f(layer_norm(a.x(), g.clone(), Some(g * 0.5), 1e-5))
        }),
        ("layer norm without bias", BOTH, |mut a| {
            let g = a.1.vector.val();
            f(layer_norm(a.x(), g, None, 1e-5))
        }),
        ("relu", BOTH, |mut a| f(relu(a.x()))),
        ("gelu", BOTH, |mut a| f(gelu(a.x()))),
        ("gelu approximate", BOTH, |mut a| f(gelu_approximate(a.x()))),
        ("silu", BOTH, |mut a| f(silu(a.x()))),
        ("sigmoid", BOTH, |mut a| f(sigmoid(a.x()))),
        ("hard sigmoid", BOTH, |mut a| {
            f(hard_sigmoid(a.x(), 0.2, 0.5))
        }),
        ("log sigmoid", BOTH, |mut a| f(log_sigmoid(a.x() * 20.0))),
        ("leaky relu", BOTH, |mut a| f(leaky_relu(a.x(), 0.1))),
        ("prelu", BOTH, |mut a| {
            let w = a.1.vector.val().slice(0..1);
            f(prelu(a.x(), w))
        }),
        ("softplus", BOTH, |mut a| f(softplus(a.x(), 1.0))),
        ("tanh mish", BOTH, |mut a| f(tanh(a.x()) + mish(a.y()))),
        ("softmax", BOTH, |mut a| f(softmax(a.x(), 2))),
        ("softmax middle", BOTH, |mut a| f(softmax(a.x(), 1))),
        ("log softmax", BOTH, |mut a| f(log_softmax(a.x(), 2))),
        ("softmin", BOTH, |mut a| f(softmin(a.x(), 2))),
        ("quiet softmax", BOTH, |mut a| f(quiet_softmax(a.x(), 2))),
    ]);
}
