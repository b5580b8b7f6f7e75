//! Texts: two towers (arXiv:1908.10084), recurrent stacks both ways (arXiv:1508.01991), sequence to
//! sequence with attention (arXiv:1508.04025), a mixture of experts (arXiv:1701.06538).

use burn::module::Module;
use burn::nn::{BiLstm, BiLstmConfig, Embedding, EmbeddingConfig, Gru, GruConfig, Linear};
use burn::tensor::activation::{relu, softmax, tanh};
use burn::tensor::{Int, Tensor};

use super::{attend, device, linear};

/// Two encoders of tokens, whose means are compared.
#[derive(Module, Debug)]
pub struct Towers {
    tables: [Embedding; 2],
    inner: [Linear; 2],
}

impl Towers {
    pub fn new() -> Self {
        let table = || EmbeddingConfig::new(50, 16).init(&device());
        Self {
            tables: [table(), table()],
            inner: [linear(16, 12), linear(16, 12)],
        }
    }

    /// The mean of the tokens that `mask` keeps, of length one: `[batch, 12]`.
    fn vector(&self, tower: usize, ids: Tensor<2, Int>, mask: Tensor<2>) -> Tensor<2> {
        let x = relu(self.inner[tower].forward(self.tables[tower].forward(ids)));
        let mask = mask.unsqueeze_dim::<3>(2); // [batch, seq, 1]
        let sum = (x * mask.clone()).sum_dim(1);
        let mean: Tensor<2> = (sum / mask.sum_dim(1).clamp_min(1e-6)).squeeze_dim(1);
        let length = mean
            .clone()
            .powf_scalar(2.0)
            .sum_dim(1)
            .sqrt()
            .clamp_min(1e-6);
        mean / length
    }

    /// Every cosine: `[queries, documents]`.
    pub fn forward(
        &self,
        [query, document]: [Tensor<2, Int>; 2],
        [kept, others]: [Tensor<2>; 2],
    ) -> Tensor<2> {
        let query = self.vector(0, query, kept);
        query.matmul(self.vector(1, document, others).transpose())
    }
}

/// Tags of tokens, by two recurrent layers that read both ways.
#[derive(Module, Debug)]
pub struct Tagger {
    table: Embedding,
    layers: Vec<BiLstm>,
    head: Linear,
}

impl Tagger {
    pub fn new() -> Self {
        let layer = |from| BiLstmConfig::new(from, 8, true).init(&device());
        Self {
            table: EmbeddingConfig::new(50, 12).init(&device()),
            layers: vec![layer(12), layer(16)],
            head: linear(16, 5),
        }
    }

    pub fn forward(&self, ids: Tensor<2, Int>) -> Tensor<3> {
        let x = self.table.forward(ids);
        let x = self
            .layers
            .iter()
            .fold(x, |x, layer| layer.forward(x, None).0);
        self.head.forward(x)
    }
}

/// An encoder and a decoder that looks back at all of it.
#[derive(Module, Debug)]
pub struct Translator {
    tables: [Embedding; 2],
    encoder: Gru,
    decoder: Gru,
    join: Linear,
    head: Linear,
}

impl Translator {
    pub fn new() -> Self {
        let table = || EmbeddingConfig::new(50, 12).init(&device());
        let gru = || GruConfig::new(12, 12, true).init(&device());
        Self {
            tables: [table(), table()],
            encoder: gru(),
            decoder: gru(),
            join: linear(24, 12),
            head: linear(12, 50),
        }
    }

    pub fn forward(&self, source: Tensor<2, Int>, target: Tensor<2, Int>) -> Tensor<3> {
        let read = self.encoder.forward(self.tables[0].forward(source), None);
        let [batch, length, width] = read.dims();
        let last = read
            .clone()
            .narrow(1, length - 1, 1)
            .reshape([batch, width]);
        let states = self
            .decoder
            .forward(self.tables[1].forward(target), Some(last));
        let context = attend(states.clone(), read.clone(), read);
        let joined = tanh(self.join.forward(Tensor::cat(vec![context, states], 2)));
        self.head.forward(joined)
    }
}

/// Four experts, of which each token takes the two that its gate likes most.
#[derive(Module, Debug)]
pub struct Experts {
    gate: Linear,
    inner: Vec<Linear>,
    outer: Vec<Linear>,
}

impl Experts {
    pub fn new() -> Self {
        Self {
            gate: linear(12, 4),
            inner: (0..4).map(|_| linear(12, 20)).collect(),
            outer: (0..4).map(|_| linear(20, 12)).collect(),
        }
    }

    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let scores = self.gate.forward(x.clone()); // [batch, seq, 4]
        let [batch, seq, experts] = scores.dims();
        let (best, which) = scores.topk_with_indices(2, 2);
        let shares = softmax(best, 2);
        let shares = Tensor::zeros([batch, seq, experts], &x.device()).scatter(
            2,
            which,
            shares,
            burn::tensor::IndexingUpdateOp::Add,
        );
        let given = self.inner.iter().zip(&self.outer).enumerate();
        let given = given.map(|(i, (inner, outer))| {
            outer.forward(relu(inner.forward(x.clone()))) * shares.clone().narrow(2, i, 1)
        });
        given.reduce(|sum, next| sum + next).unwrap()
    }
}
