//! Multi-head attention (arXiv:1706.03762, section 3.2) with grouped queries
//! (arXiv:2305.13245).

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Bool, Device, Tensor, module::attention, ops::AttentionModuleOptions};
use serde::Serialize;

use super::cache::LayerCache;
use super::linear;
use super::position::{Rotary, RotaryConfig};

/// Sizes and kind of an attention.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AttentionConfig {
    /// Query heads.
    pub heads: usize,
    /// Key and value heads: each serves `heads / kv_heads` query heads.
    pub kv_heads: usize,
    /// Values a head has.
    pub head_dim: usize,
    /// Whether the query, key and value projections have biases.
    pub qkv_bias: bool,
    /// Whether the output projection has a bias.
    pub output_bias: bool,
    /// What scores are multiplied by; `1 / √head_dim` where it is `None`.
    pub scale: Option<f64>,
    /// Whether a query sees no key after it.
    pub causal: bool,
    /// Rotary positions of queries and keys.
    pub rotary: Option<RotaryConfig>,
}

impl AttentionConfig {
    /// An attention over `d_model` values, its weights of deviation `std`.
    pub fn init(&self, d_model: usize, std: f64, device: &Device) -> Attention {
        let (query, key) = (self.heads * self.head_dim, self.kv_heads * self.head_dim);
        Attention {
            query: linear(d_model, query, self.qkv_bias, std, device),
            key: linear(d_model, key, self.qkv_bias, std, device),
            value: linear(d_model, key, self.qkv_bias, std, device),
            output: linear(query, d_model, self.output_bias, std, device),
            heads: self.heads,
            kv_heads: self.kv_heads,
            head_dim: self.head_dim,
            scale: self.scale.unwrap_or(1.0 / (self.head_dim as f64).sqrt()),
        }
    }
}

/// What every layer of a stack shares in one pass.
#[derive(Debug, Clone, Default)]
pub struct Shared {
    /// `[batch, 1, query, key]`, true where a key is hidden.
    pub mask: Option<Tensor<4, Bool>>,
    /// The positions of the queries.
    pub rotary: Option<Rotary>,
}

/// Projections of an attention; the arithmetic between them is Burn's own.
#[derive(Module, Debug)]
pub struct Attention {
    /// `[d_model, heads · head_dim]`.
    pub query: Linear,
    /// `[d_model, kv_heads · head_dim]`.
    pub key: Linear,
    /// `[d_model, kv_heads · head_dim]`.
    pub value: Linear,
    /// `[heads · head_dim, d_model]`.
    pub output: Linear,
    heads: usize,
    kv_heads: usize,
    head_dim: usize,
    scale: f64,
}

impl Attention {
    /// `[batch, query, d_model] -> [batch, query, d_model]`, and the cache with this call's
    /// keys and values behind `past`.
    pub fn forward(
        &self,
        x: Tensor<3>,
        shared: &Shared,
        past: Option<LayerCache>,
    ) -> (Tensor<3>, LayerCache) {
        let [batch, seq, _] = x.dims();
        let query = self.split(self.query.forward(x.clone()), self.heads);
        let key = self.split(self.key.forward(x.clone()), self.kv_heads);
        let value = self.split(self.value.forward(x), self.kv_heads);
        let (query, key) = match &shared.rotary {
            Some(rotary) => (rotary.apply(query), rotary.apply(key)),
            None => (query, key),
        };
        let cache = LayerCache::extended(past, key, value);

        let [_, _, keys, _] = cache.key.dims();
        let mask = shared
            .mask
            .clone()
            .map(|mask| mask.expand([batch, self.heads, seq, keys]));
        let options = AttentionModuleOptions {
            scale: Some(self.scale),
            ..Default::default()
        };
        let (key, value) = (
            self.share(cache.key.clone()),
            self.share(cache.value.clone()),
        );
        let context = attention(query, key, value, mask, None, options); // [batch, heads, query, head_dim]
        let context = context
            .swap_dims(1, 2)
            .reshape([batch, seq, self.heads * self.head_dim]);
        (self.output.forward(context), cache)
    }

    /// `[batch, seq, heads · head_dim] -> [batch, heads, seq, head_dim]`.
    fn split(&self, x: Tensor<3>, heads: usize) -> Tensor<4> {
        let [batch, seq, _] = x.dims();
        x.reshape([batch, seq, heads, self.head_dim])
            .swap_dims(1, 2)
    }

    /// Gives each query head the keys (or values) of its group:
    /// `[batch, kv_heads, key, head_dim] -> [batch, heads, key, head_dim]`.
    fn share(&self, x: Tensor<4>) -> Tensor<4> {
        if self.heads == self.kv_heads {
            return x;
        }
        let [batch, kv_heads, key, head_dim] = x.dims();
        let group = self.heads / kv_heads;
        x.reshape([batch, kv_heads, 1, key, head_dim])
            .expand([batch, kv_heads, group, key, head_dim])
            .reshape([batch, self.heads, key, head_dim])
    }
}
