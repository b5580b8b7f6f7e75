//! Token numbers into the stream: token, position and token-type embeddings.

use burn::module::Module;
use burn::nn::{self, Initializer};
use burn::tensor::{Device, Int, Tensor};
use serde::Serialize;

use super::norm::{Norm, NormConfig};

/// What a token starts the stream with.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EmbeddingConfig {
    /// Tokens.
    pub vocab_size: usize,
    /// Learned positions; 0 for none.
    pub positions: usize,
    /// Token types; 0 for none.
    pub token_types: usize,
    /// A norm after the sum.
    pub norm: Option<NormConfig>,
}

impl EmbeddingConfig {
    /// Tables over `d_model` values, normal with deviation `std`.
    pub fn init(&self, d_model: usize, std: f64, device: &Device) -> Embedding {
        let table = |rows: usize| {
            nn::EmbeddingConfig::new(rows, d_model)
                .with_initializer(Initializer::Normal { mean: 0.0, std })
                .init(device)
        };
        Embedding {
            token: table(self.vocab_size),
            position: (self.positions > 0).then(|| table(self.positions)),
            token_type: (self.token_types > 0).then(|| table(self.token_types)),
            norm: self.norm.map(|norm| norm.init(d_model, device)),
        }
    }
}

/// Embedding tables, each `[rows, d_model]`.
#[derive(Module, Debug)]
pub struct Embedding {
    /// `[vocab, d_model]`.
    pub token: nn::Embedding,
    /// `[positions, d_model]`.
    pub position: Option<nn::Embedding>,
    /// `[token_types, d_model]`.
    pub token_type: Option<nn::Embedding>,
    /// The norm after the sum.
    pub norm: Option<Norm>,
}

impl Embedding {
    /// `[batch, seq]` numbers of each kind into `[batch, seq, d_model]`; token types default
    /// to 0.
    pub fn forward(
        &self,
        tokens: Tensor<2, Int>,
        positions: Tensor<2, Int>,
        token_types: Option<Tensor<2, Int>>,
    ) -> Tensor<3> {
        let mut x = self.token.forward(tokens.clone());
        if let Some(table) = &self.token_type {
            let types = token_types.unwrap_or_else(|| tokens.zeros_like());
            x = x + table.forward(types);
        }
        if let Some(table) = &self.position {
            x = x + table.forward(positions);
        }
        match &self.norm {
            Some(norm) => norm.forward(x),
            None => x,
        }
    }
}
