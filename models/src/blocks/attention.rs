//! Multi-head attention (arXiv:1706.03762, section 3.2) with grouped queries
//! (arXiv:2305.13245).

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Bool, Device, Tensor, ops::AttentionModuleOptions};
use fluxo_backends::kernels;
use serde::Serialize;

use super::cache::KeyValue;
use super::mask::AttentionPattern;
use super::norm::{Norm, NormConfig};
use super::rotary::{Rotary, RotaryConfig};
use super::taps::Taps;
use super::{apply, linear};
use crate::error::{Error, Result};

/// Sizes and kind of an attention.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AttentionConfig {
    /// Query heads.
    pub heads: usize,
    /// Key and value heads: each serves `heads / kv_heads` query heads.
    pub kv_heads: usize,
    /// Values a head has.
    pub head_dim: usize,
    /// Which projections have biases.
    pub bias: ProjectionBias,
    /// A norm of queries and keys.
    pub query_key_norm: Option<QueryKeyNorm>,
    /// What scores are multiplied by; `1 / √head_dim` where it is `None`.
    pub scale: Option<f64>,
    /// Scores `s` become `cap · tanh(s / cap)` (arXiv:2408.00118).
    pub softcap: Option<f64>,
    /// Whether a query sees no key after it.
    pub causal: bool,
    /// A query sees no key this far away or farther.
    pub window: Option<usize>,
    /// Rotary positions of queries and keys.
    pub rotary: Option<RotaryConfig>,
}

/// Which projections of an attention have biases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ProjectionBias {
    /// The query projection.
    pub query: bool,
    /// The key projection.
    pub key: bool,
    /// The value projection.
    pub value: bool,
    /// The output projection.
    pub output: bool,
}

impl ProjectionBias {
    /// All of them, or none.
    pub fn all(bias: bool) -> Self {
        Self::split(bias, bias)
    }

    /// Queries, keys and values alike, and the output.
    pub fn split(inputs: bool, output: bool) -> Self {
        Self {
            query: inputs,
            key: inputs,
            value: inputs,
            output,
        }
    }
}

/// A norm of queries and keys (arXiv:2010.04245).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct QueryKeyNorm {
    /// Which norm.
    pub norm: NormConfig,
    /// Whether each head is normalised by itself, or all together.
    pub per_head: bool,
}

impl AttentionConfig {
    /// Plain attention of `heads` heads, all projections with biases.
    pub fn new(heads: usize, head_dim: usize) -> Self {
        Self {
            heads,
            kv_heads: heads,
            head_dim,
            bias: ProjectionBias::all(true),
            query_key_norm: None,
            scale: None,
            softcap: None,
            causal: false,
            window: None,
            rotary: None,
        }
    }

    /// What a query sees.
    pub fn sight(&self) -> AttentionPattern {
        AttentionPattern {
            causal: self.causal,
            window: self.window,
        }
    }

    /// Refuses sizes that do not fit together.
    ///
    /// # Errors
    /// Names them.
    pub fn check(&self) -> Result<()> {
        let refuse = |text: String| Err(Error::Config(text));
        if !self.heads.is_multiple_of(self.kv_heads) {
            return refuse(format!(
                "{} heads cannot share {} key and value heads evenly",
                self.heads, self.kv_heads
            ));
        }
        if let Some(rotary) = &self.rotary
            && (!rotary.dim.is_multiple_of(2) || rotary.dim > self.head_dim || rotary.dim == 0)
        {
            return refuse(format!(
                "{} rotary values do not fit heads of {}: an even number up to that is needed",
                rotary.dim, self.head_dim
            ));
        }
        Ok(())
    }

    /// An attention from and to `d_model` values, its weights of deviation `std`.
    pub fn init(&self, d_model: usize, std: f64, device: &Device) -> Attention {
        let (query, key) = (self.heads * self.head_dim, self.kv_heads * self.head_dim);
        let bias = self.bias;
        let norm = |width| {
            self.query_key_norm.map(|QueryKeyNorm { norm, per_head }| {
                let width = if per_head { self.head_dim } else { width };
                norm.init(width, device)
            })
        };
        Attention {
            query: linear(d_model, query, bias.query, std, device),
            key: linear(d_model, key, bias.key, std, device),
            value: linear(d_model, key, bias.value, std, device),
            output: linear(query, d_model, bias.output, std, device),
            query_norm: norm(query),
            key_norm: norm(key),
            heads: self.heads,
            kv_heads: self.kv_heads,
            head_dim: self.head_dim,
            norm_per_head: self.query_key_norm.is_none_or(|norm| norm.per_head),
            scale: self.scale.unwrap_or(1.0 / (self.head_dim as f64).sqrt()),
            softcap: self.softcap,
        }
    }
}

/// What the queries of one pass see.
#[derive(Debug, Clone, Default)]
pub struct AttentionContext {
    /// `[batch, 1, query, key]`, true where a key is hidden.
    pub mask: Option<Tensor<4, Bool>>,
    /// Added to the scores, `[batch, heads, query, key]`.
    pub bias: Option<Tensor<4>>,
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
    /// Over `head_dim` values, or over all of a projection's.
    pub query_norm: Option<Norm>,
    /// Over `head_dim` values, or over all of a projection's.
    pub key_norm: Option<Norm>,
    heads: usize,
    kv_heads: usize,
    head_dim: usize,
    norm_per_head: bool,
    scale: f64,
    softcap: Option<f64>,
}

impl Attention {
    /// The keys and values of `x` `[batch, seq, d_model]`.
    pub fn keys_values(&self, x: Tensor<3>, rotary: Option<&Rotary>, taps: &mut Taps) -> KeyValue {
        let read = taps.begin(format_args!("key"), x.clone());
        let key = taps.end(apply(&self.key, read));
        let read = taps.begin(format_args!("value"), x);
        let value = taps.end(apply(&self.value, read));
        let norm = self.key_norm.as_ref().map(|norm| (norm, "key_norm"));
        KeyValue {
            key: self.turned(key, self.kv_heads, norm, rotary, taps),
            value: self.split(value, self.kv_heads),
        }
    }

    /// What `x` `[batch, query, d_model]` reads of `from`: `[batch, query, d_model]`.
    pub fn attend(
        &self,
        x: Tensor<3>,
        from: &KeyValue,
        view: &AttentionContext,
        taps: &mut Taps,
    ) -> Tensor<3> {
        let [batch, seq, _] = x.dims();
        let keys = from.places();
        let (heads, groups) = (self.kv_heads, self.heads / self.kv_heads);
        let x = taps.begin(format_args!("query"), x);
        let query = taps.end(apply(&self.query, x));
        let norm = self.query_norm.as_ref().map(|norm| (norm, "query_norm"));
        let query = self.turned(query, self.heads, norm, view.rotary.as_ref(), taps);
        // The queries that share a head's keys stand side by side, so no key is copied.
        let query = self.grouped(query);
        let mask = view.mask.clone().map(|mask| match groups {
            1 => mask.expand([batch, heads, seq, keys]),
            _ => mask
                .reshape([batch, 1, 1, seq, keys])
                .expand([batch, heads, groups, seq, keys])
                .reshape([batch, heads, groups * seq, keys]),
        });
        let bias = view.bias.clone().map(|bias| self.grouped(bias));
        let options = AttentionModuleOptions {
            scale: Some(self.scale),
            softcap: self.softcap,
            is_causal: false,
        };
        let (key, value) = (from.key.clone(), from.value.clone());
        let context = kernels::attention(query, key, value, mask, bias, options);
        let context = context
            .reshape([batch, self.heads, seq, self.head_dim])
            .swap_dims(1, 2)
            .reshape([batch, seq, self.heads * self.head_dim]);
        let context = taps.begin(format_args!("output"), context);
        taps.end(apply(&self.output, context))
    }

    /// `[batch, heads, query, n] -> [batch, kv_heads, group · query, n]`.
    fn grouped(&self, x: Tensor<4>) -> Tensor<4> {
        let [batch, heads, seq, n] = x.dims();
        if heads == self.kv_heads {
            x
        } else {
            x.reshape([batch, self.kv_heads, heads / self.kv_heads * seq, n])
        }
    }

    /// Splits a projection into heads, normalised and rotated.
    fn turned(
        &self,
        x: Tensor<3>,
        heads: usize,
        norm: Option<(&Norm, &str)>,
        rotary: Option<&Rotary>,
        taps: &mut Taps,
    ) -> Tensor<4> {
        let x = match norm {
            Some((norm, name)) if self.norm_per_head => {
                let x = taps.begin(format_args!("{name}"), self.split(x, heads));
                taps.end(norm.forward(x))
            }
            Some((norm, name)) => {
                let x = taps.begin(format_args!("{name}"), x);
                self.split(taps.end(norm.forward(x)), heads)
            }
            None => self.split(x, heads),
        };
        match rotary {
            Some(rotary) => rotary.apply(x),
            None => x,
        }
    }

    /// `[batch, seq, heads · head_dim] -> [batch, heads, seq, head_dim]`.
    fn split(&self, x: Tensor<3>, heads: usize) -> Tensor<4> {
        let [batch, seq, _] = x.dims();
        x.reshape([batch, seq, heads, self.head_dim])
            .swap_dims(1, 2)
    }
}
