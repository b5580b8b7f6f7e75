//! Graphs given by their adjacency matrix (arXiv:1609.02907).

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::Tensor;
use burn::tensor::activation::relu;

use super::linear;

/// Two layers, in each of which a node takes the mean of its neighbours and itself.
#[derive(Module, Debug)]
pub struct Neighbours {
    layers: [Linear; 2],
}

impl Neighbours {
    pub fn new() -> Self {
        Self {
            layers: [linear(6, 10), linear(10, 4)],
        }
    }

    /// Of `[nodes, 6]` and `[nodes, nodes]`, numbers above 0 where there is an edge.
    pub fn forward(&self, x: Tensor<2>, adjacency: Tensor<2>) -> Tensor<2> {
        let [nodes, _] = x.dims();
        let edges = adjacency.greater_elem(0.0).float();
        let edges = edges + Tensor::eye(nodes, &x.device());
        let scale = edges.clone().sum_dim(1).sqrt().recip(); // [nodes, 1]
        let edges = edges * scale.clone() * scale.transpose();
        let x = relu(edges.clone().matmul(self.layers[0].forward(x)));
        edges.matmul(self.layers[1].forward(x))
    }
}
