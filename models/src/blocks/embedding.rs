//! Token numbers into the stream: token, position and token-type embeddings.

use burn::module::Module;
use burn::nn::{self, Initializer, Linear};
use burn::tensor::{Device, Int, Tensor, module::embedding};
use serde::{Deserialize, Serialize};

use super::linear;
use super::norm::{Norm, NormConfig};
use super::position::{PositionConfig, Positions};
use super::taps::Taps;

/// What a token starts the stream with.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EmbeddingConfig {
    /// Tokens.
    pub vocab_size: usize,
    /// Whether the table of tokens is another stack's.
    pub borrowed: bool,
    /// Width of the tables; the stream's own where it is `None`, else a linear layer follows.
    pub width: Option<usize>,
    /// What token embeddings are multiplied by.
    pub scale: Option<f64>,
    /// Absolute positions.
    pub position: Option<PositionConfig>,
    /// Which tokens count as positions, where nobody says which they have.
    pub counting: Counting,
    /// Whether positions may be given with the tokens: transformers' BART and its kin take none.
    pub takes_positions: bool,
    /// Token types; 0 for none.
    pub token_types: usize,
    /// A norm after the sum.
    pub norm: Option<NormConfig>,
}

/// Which tokens count as positions: as transformers has it, for the same class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counting {
    /// Every one, padding too: the column is the position (BERT and its kin, CLIP, BART).
    #[default]
    Columns,
    /// Those that the mask keeps: decoders, as `generate` counts for them. A plain call of
    /// transformers counts columns ([`plain_call`](crate::inputs::plain_call)).
    Kept,
    /// Those that the mask keeps, in a plain call too (OPT).
    KeptAlways,
    /// Those that are not this one, which stands for padding, whatever the mask says: padding has
    /// the position before the first (RoBERTa's `create_position_ids_from_input_ids`).
    But(usize),
}

impl EmbeddingConfig {
    /// Tokens alone.
    pub fn tokens(vocab_size: usize) -> Self {
        Self {
            vocab_size,
            borrowed: false,
            width: None,
            scale: None,
            position: None,
            counting: Counting::Columns,
            takes_positions: true,
            token_types: 0,
            norm: None,
        }
    }

    /// Tokens alone, of a decoder that nothing but its text tells what to write.
    pub fn decoder(vocab_size: usize) -> Self {
        Self {
            counting: Counting::Kept,
            ..Self::tokens(vocab_size)
        }
    }

    /// Tables for a stream of `d_model` values, normal with deviation `std`.
    pub fn init(&self, d_model: usize, std: f64, device: &Device) -> Embedding {
        let width = self.width.unwrap_or(d_model);
        let table = |rows: usize| {
            nn::EmbeddingConfig::new(rows, width)
                .with_initializer(Initializer::Normal { mean: 0.0, std })
                .init(device)
        };
        Embedding {
            token: (!self.borrowed).then(|| table(self.vocab_size)),
            position: self.position.map(|p| p.init(width, std, device)),
            token_type: (self.token_types > 0).then(|| table(self.token_types)),
            norm: self.norm.map(|norm| norm.init(width, device)),
            project: self
                .width
                .map(|width| linear(width, d_model, true, std, device)),
            scale: self.scale,
        }
    }
}

/// Embedding tables, each `[rows, width]`.
#[derive(Module, Debug)]
pub struct Embedding {
    /// `[vocab, width]`, where it is not another stack's.
    pub token: Option<nn::Embedding>,
    /// `[positions, width]`.
    pub position: Option<Positions>,
    /// `[token_types, width]`.
    pub token_type: Option<nn::Embedding>,
    /// The norm after the sum.
    pub norm: Option<Norm>,
    /// `[width, d_model]`.
    pub project: Option<Linear>,
    scale: Option<f64>,
}

impl Embedding {
    /// The embedding without its table of tokens, which a pass is given anyway.
    pub(crate) fn without_tokens(&self) -> Self {
        Self {
            token: None,
            ..self.clone()
        }
    }

    /// `[batch, seq]` numbers of each kind into `[batch, seq, d_model]`; token types default
    /// to 0. `table` `[vocab, width]` is the table of tokens.
    pub fn forward(
        &self,
        table: Tensor<2>,
        tokens: Tensor<2, Int>,
        positions: Tensor<2, Int>,
        token_types: Option<Tensor<2, Int>>,
        taps: &mut Taps,
    ) -> Tensor<3> {
        let mut x = taps.weight(embedding(table, tokens.clone()));
        if let Some(scale) = self.scale {
            x = x * scale;
        }
        if let Some(table) = &self.token_type {
            let types = token_types.unwrap_or_else(|| tokens.zeros_like());
            x = x + table.forward(types);
        }
        if let Some(table) = &self.position {
            let dtype = x.dtype();
            x = x + table.forward(positions).cast(dtype);
        }
        if let Some(norm) = &self.norm {
            let read = taps.begin(format_args!("norm"), x);
            x = taps.end(norm.forward(read));
        }
        match &self.project {
            Some(project) => {
                let x = taps.begin(format_args!("project"), x);
                taps.end(project.forward(x))
            }
            None => x,
        }
    }
}
