//! The residual block: two sublayers that write into the stream, and where their norms stand.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::Serialize;

use super::attention::{Attention, AttentionConfig, Shared};
use super::cache::LayerCache;
use super::feed_forward::{FeedForward, FeedForwardConfig};
use super::norm::{Norm, NormConfig};
use super::taps::Taps;

/// Where the norms of a block stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NormPosition {
    /// After each sum: `LN(x + f(x))` (arXiv:1706.03762).
    Post,
    /// Before each sublayer: `x + f(LN(x))` (arXiv:2002.04745).
    Pre,
}

/// A residual block.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BlockConfig {
    /// Where the norms stand.
    pub norm_position: NormPosition,
    /// Which norm.
    pub norm: NormConfig,
    /// The attention.
    pub attention: AttentionConfig,
    /// The feed-forward network.
    pub feed_forward: FeedForwardConfig,
}

impl BlockConfig {
    /// A block over `d_model` values, its weights of deviation `std`.
    pub fn init(&self, d_model: usize, std: f64, device: &Device) -> Block {
        Block {
            attention_norm: self.norm.init(d_model, device),
            attention: self.attention.init(d_model, std, device),
            feed_forward_norm: self.norm.init(d_model, device),
            feed_forward: self.feed_forward.init(d_model, std, device),
            norm_position: self.norm_position,
        }
    }
}

/// A residual block.
#[derive(Module, Debug)]
pub struct Block {
    /// The attention's norm: before it (pre-norm) or after its sum (post-norm).
    pub attention_norm: Norm,
    /// The attention.
    pub attention: Attention,
    /// The feed-forward network's norm.
    pub feed_forward_norm: Norm,
    /// The feed-forward network.
    pub feed_forward: FeedForward,
    #[module(skip)]
    norm_position: NormPosition,
}

impl Block {
    /// One step of the stream, `[batch, seq, d_model] -> [batch, seq, d_model]`, as block
    /// number `layer`.
    ///
    /// Post-norm: t1 = MHA(x), t2 = t1 + x, t3 = LN(t2), t4 = FFN(t3), t5 = t4 + t3,
    /// h = LN(t5). Pre-norm: t1 = LN(x), t2 = MHA(t1), t3 = t2 + x, t4 = LN(t3),
    /// t5 = FFN(t4), h = t5 + t3.
    pub fn forward(
        &self,
        x: Tensor<3>,
        shared: &Shared,
        past: Option<LayerCache>,
        layer: usize,
        taps: &mut Taps,
    ) -> (Tensor<3>, LayerCache) {
        taps.record(layer, ["x", "resid_pre"], &x);
        match self.norm_position {
            NormPosition::Post => {
                let (t1, cache) = self.attention.forward(x.clone(), shared, past);
                taps.record(layer, ["t1", "attn_out"], &t1);
                let t2 = t1 + x;
                taps.record(layer, ["t2", ""], &t2);
                let t3 = self.attention_norm.forward(t2);
                taps.record(layer, ["t3", "resid_mid"], &t3);
                let t4 = self.feed_forward.forward(t3.clone());
                taps.record(layer, ["t4", "ffn_out"], &t4);
                let t5 = t4 + t3;
                taps.record(layer, ["t5", ""], &t5);
                let h = self.feed_forward_norm.forward(t5);
                taps.record(layer, ["h", "resid_post"], &h);
                (h, cache)
            }
            NormPosition::Pre => {
                let t1 = self.attention_norm.forward(x.clone());
                taps.record(layer, ["t1", ""], &t1);
                let (t2, cache) = self.attention.forward(t1, shared, past);
                taps.record(layer, ["t2", "attn_out"], &t2);
                let t3 = t2 + x;
                taps.record(layer, ["t3", "resid_mid"], &t3);
                let t4 = self.feed_forward_norm.forward(t3.clone());
                taps.record(layer, ["t4", ""], &t4);
                let t5 = self.feed_forward.forward(t4);
                taps.record(layer, ["t5", "ffn_out"], &t5);
                let h = t5 + t3;
                taps.record(layer, ["h", "resid_post"], &h);
                (h, cache)
            }
        }
    }
}
