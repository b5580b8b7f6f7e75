//! The network that every family is: embeddings, a stack of blocks, a head.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Int, Tensor};
use serde::Serialize;

use crate::blocks::attention::Shared;
use crate::blocks::block::{Block, BlockConfig};
use crate::blocks::cache::Cache;
use crate::blocks::embedding::{Embedding, EmbeddingConfig};
use crate::blocks::linear;
use crate::blocks::mask::{Span, attention_mask};
use crate::blocks::norm::{Norm, NormConfig};
use crate::blocks::position::position_ids;
use crate::blocks::taps::Taps;
use crate::error::{Error, Result};

/// What makes logits of the last hidden state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Head {
    /// Nothing: the network ends with its hidden state.
    None,
    /// The token embedding, transposed: one tensor for both.
    Tied,
    /// A linear layer without bias.
    Linear,
}

/// A whole network, whatever its family.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NetworkConfig {
    /// Tokens.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub d_model: usize,
    /// Blocks.
    pub layers: usize,
    /// The longest sequence, its past included.
    pub max_positions: usize,
    /// The embeddings.
    pub embedding: EmbeddingConfig,
    /// Every block.
    pub block: BlockConfig,
    /// The norm after the last block.
    pub final_norm: Option<NormConfig>,
    /// Whether a dense tanh layer reads the first position (BERT).
    pub pooler: bool,
    /// The head.
    pub head: Head,
    /// Deviation of fresh weights.
    pub initializer_range: f64,
}

impl NetworkConfig {
    /// Key and value heads.
    pub fn kv_heads(&self) -> usize {
        self.block.attention.kv_heads
    }

    /// Values a head has.
    pub fn head_dim(&self) -> usize {
        self.block.attention.head_dim
    }

    /// Whether a position sees none after it: a decoder, with a cache.
    pub fn causal(&self) -> bool {
        self.block.attention.causal
    }

    /// Token types; 0 for none.
    pub fn token_types(&self) -> usize {
        self.embedding.token_types
    }

    /// Refuses sizes that no network can have.
    ///
    /// # Errors
    /// Names the sizes that do not fit together.
    pub fn check(&self) -> Result<()> {
        let attention = &self.block.attention;
        let refuse = |text: String| Err(Error::Config(text));
        if self.layers > 4096 {
            return refuse(format!("{} layers are more than 4096", self.layers));
        }
        if !attention.heads.is_multiple_of(attention.kv_heads) {
            return refuse(format!(
                "{} heads cannot share {} key and value heads evenly",
                attention.heads, attention.kv_heads
            ));
        }
        if let Some(rotary) = attention.rotary
            && (!rotary.dim.is_multiple_of(2) || rotary.dim > attention.head_dim)
        {
            return refuse(format!(
                "{} rotary values do not fit heads of {}: an even number up to that is needed",
                rotary.dim, attention.head_dim
            ));
        }
        // Anything larger could not be built on any machine there is.
        let widest = [
            self.vocab_size,
            self.block.feed_forward.d_ff,
            attention.heads.saturating_mul(attention.head_dim),
            self.embedding.positions,
        ];
        let weights = widest
            .iter()
            .map(|size| (size * self.d_model) as u128)
            .sum::<u128>()
            * self.layers as u128;
        if weights > 1 << 43 {
            return refuse(format!(
                "the sizes make a model of about {weights} weights, which cannot be held"
            ));
        }
        Ok(())
    }

    /// The network with fresh weights. They are made when first read, so that loading a
    /// checkpoint over them costs nothing.
    pub fn init(&self, device: &Device) -> Network {
        let (d_model, std) = (self.d_model, self.initializer_range);
        Network {
            embedding: self.embedding.init(d_model, std, device),
            layers: (0..self.layers)
                .map(|_| self.block.init(d_model, std, device))
                .collect(),
            final_norm: self.final_norm.map(|norm| norm.init(d_model, device)),
            pooler: self
                .pooler
                .then(|| linear(d_model, d_model, true, std, device)),
            head: (self.head == Head::Linear)
                .then(|| linear(d_model, self.vocab_size, false, std, device)),
            config: self.clone(),
        }
    }
}

/// A network's inputs.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Token numbers `[batch, seq]`.
    pub input_ids: Tensor<2, Int>,
    /// 1 for tokens and 0 for padding, `[batch, past + seq]`.
    pub attention_mask: Option<Tensor<2, Int>>,
    /// Token types `[batch, seq]`.
    pub token_type_ids: Option<Tensor<2, Int>>,
    /// The positions already seen.
    pub cache: Option<Cache>,
}

impl Batch {
    /// Tokens alone: nothing is padding, nothing came before.
    pub fn new(input_ids: Tensor<2, Int>) -> Self {
        Self {
            input_ids,
            attention_mask: None,
            token_type_ids: None,
            cache: None,
        }
    }
}

/// A network's outputs.
#[derive(Debug, Clone)]
pub struct Output {
    /// The stream after the last norm, `[batch, seq, d_model]`.
    pub last_hidden_state: Tensor<3>,
    /// `[batch, seq, vocab]`, where there is a head.
    pub logits: Option<Tensor<3>>,
    /// `[batch, d_model]`, where there is a pooler.
    pub pooler_output: Option<Tensor<2>>,
    /// Keys and values of all positions so far, of a causal network.
    pub cache: Option<Cache>,
    /// The stream before each block and, last, after the final norm, each
    /// `[batch, seq, d_model]`: what transformers calls `hidden_states`.
    pub hidden_states: Vec<Tensor<3>>,
}

/// Embeddings, blocks, final norm and head.
#[derive(Module, Debug)]
pub struct Network {
    /// The embeddings.
    pub embedding: Embedding,
    /// The blocks.
    pub layers: Vec<Block>,
    /// The norm after the last block.
    pub final_norm: Option<Norm>,
    /// `[d_model, d_model]`.
    pub pooler: Option<Linear>,
    /// `[d_model, vocab]`, where it is not the embedding's own.
    pub head: Option<Linear>,
    #[module(skip)]
    config: NetworkConfig,
}

impl Network {
    /// Runs the network; `taps` collects what it is asked to.
    pub fn forward(&self, batch: Batch, taps: &mut Taps) -> Output {
        let device = batch.input_ids.device();
        let [rows, seq] = batch.input_ids.dims();
        let causal = self.config.causal();
        let span = Span {
            batch: rows,
            query: seq,
            past: batch.cache.as_ref().map_or(0, Cache::past),
        };
        // Encoders number their positions by index, padding or not.
        let counted = batch.attention_mask.clone().filter(|_| causal);
        let positions = position_ids(counted, span, &device); // [batch, seq]
        let rotary = self.config.block.attention.rotary;
        let shared = Shared {
            mask: attention_mask(batch.attention_mask, causal, span, &device),
            rotary: rotary.map(|rotary| rotary.tables(positions.clone())),
        };

        let mut x = self
            .embedding
            .forward(batch.input_ids, positions, batch.token_type_ids);
        let mut hidden_states = Vec::with_capacity(self.layers.len() + 1);
        let mut caches = Vec::with_capacity(self.layers.len());
        let mut past = batch.cache.map(|cache| cache.layers.into_iter());
        for (layer, block) in self.layers.iter().enumerate() {
            hidden_states.push(x.clone());
            let past = past.as_mut().and_then(Iterator::next);
            let (h, cache) = block.forward(x, &shared, past, layer, taps);
            caches.push(cache);
            x = h;
        }
        if let Some(norm) = &self.final_norm {
            x = norm.forward(x);
        }
        hidden_states.push(x.clone());

        Output {
            logits: self.logits(&x),
            pooler_output: self.pooler.as_ref().map(|pooler| {
                let first = x
                    .clone()
                    .narrow(1, 0, 1)
                    .reshape([rows, self.config.d_model]);
                pooler.forward(first).tanh()
            }),
            last_hidden_state: x,
            cache: causal.then_some(Cache { layers: caches }),
            hidden_states,
        }
    }

    /// `[batch, seq, d_model] -> [batch, seq, vocab]`.
    fn logits(&self, x: &Tensor<3>) -> Option<Tensor<3>> {
        match self.config.head {
            Head::None => None,
            Head::Tied => {
                let table = self.embedding.token.weight.val(); // [vocab, d_model]
                Some(x.clone().matmul(table.transpose().unsqueeze()))
            }
            Head::Linear => self.head.as_ref().map(|head| head.forward(x.clone())),
        }
    }
}
