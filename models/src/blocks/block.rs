//! The residual block: sublayers that write into the stream, and where their norms stand.

use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::{DType, Device, Tensor};
use serde::Serialize;

use super::attention::{Attention, AttentionConfig, AttentionContext};
use super::cache::{KeyValue, LayerCache};
use super::experts::Experts;
use super::feed_forward::{FeedForward, FeedForwardConfig};
use super::norm::{Norm, NormConfig};
use super::taps::Taps;
use super::typed;

/// Where the norms of a block stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NormPosition {
    /// After each sum: `LN(x + f(x))` (arXiv:1706.03762).
    Post,
    /// Before each sublayer: `x + f(LN(x))` (arXiv:2002.04745).
    Pre,
    /// Before and after each sublayer: `x + LN(f(LN(x)))` (arXiv:2105.13290).
    Sandwich,
    /// After each sublayer, before its sum: `x + LN(f(x))` (arXiv:2501.00656).
    BranchPost,
    /// Both sublayers read the same normed stream: `x + f(LN(x)) + g(LN(x))` (GPT-J).
    ParallelOneNorm,
    /// Both sublayers read the stream, each by its own norm: `x + f(LN(x)) + g(LN'(x))`
    /// (GPT-NeoX, arXiv:2204.06745).
    ParallelTwoNorms,
}

impl NormPosition {
    /// Whether a norm stands before each sublayer.
    fn before(self) -> bool {
        !matches!(self, Self::BranchPost)
    }

    /// Whether a norm stands after each sublayer, before its sum.
    fn after(self) -> bool {
        matches!(self, Self::Sandwich | Self::BranchPost)
    }
}

/// A residual block.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BlockConfig {
    /// Where the norms stand.
    pub norm_position: NormPosition,
    /// Which norm.
    pub norm: NormConfig,
    /// Whether the attention has its norm: ModernBERT's first layer has none.
    pub attention_norm: bool,
    /// The attention.
    pub attention: AttentionConfig,
    /// The attention to an encoder's output, between the other two sublayers.
    pub cross: Option<AttentionConfig>,
    /// The feed-forward network.
    pub feed_forward: FeedForwardConfig,
    /// What each sublayer's output is multiplied by at first, element by element
    /// (LayerScale, arXiv:2103.17239).
    pub layer_scale: Option<f64>,
    /// Whether a stream in float16 stops short of infinity (at ±64504), as transformers
    /// has it of T5 and of the encoders of bart, marian and whisper.
    pub saturates: bool,
}

/// What a stream in float16 that would pass its range is held at: 1000 less than its largest.
const FLOAT16_MOST: f64 = 64_504.0;

impl BlockConfig {
    /// A block of attention and feed-forward network.
    pub fn new(
        norm_position: NormPosition,
        norm: NormConfig,
        attention: AttentionConfig,
        feed_forward: FeedForwardConfig,
    ) -> Self {
        Self {
            norm_position,
            norm,
            attention_norm: true,
            attention,
            cross: None,
            feed_forward,
            layer_scale: None,
            saturates: false,
        }
    }

    /// A block over `d_model` values, its weights of deviation `std`.
    pub fn init(&self, d_model: usize, std: f64, device: &Device) -> Block {
        let position = self.norm_position;
        let norm = |wanted: bool| wanted.then(|| self.norm.init(d_model, device));
        let (before, after) = (position.before(), position.after());
        let scale = || {
            self.layer_scale
                .map(|value| Initializer::Constant { value }.init([d_model], device))
        };
        let feed_forward = &self.feed_forward;
        let experts = feed_forward.experts;
        Block {
            attention_norm: norm(before && self.attention_norm),
            attention: self.attention.init(d_model, std, device),
            attention_out_norm: norm(after),
            attention_scale: scale(),
            cross_norm: norm(self.cross.is_some()),
            cross: self.cross.as_ref().map(|c| c.init(d_model, std, device)),
            feed_forward_norm: norm(before && position != NormPosition::ParallelOneNorm),
            feed_forward: (experts.is_none()).then(|| feed_forward.init(d_model, std, device)),
            experts: experts.map(|e| e.init(feed_forward, d_model, std, device)),
            feed_forward_out_norm: norm(after),
            feed_forward_scale: scale(),
            norm_position: position,
            saturates: self.saturates,
        }
    }
}

/// A residual block.
#[derive(Module, Debug)]
pub struct Block {
    /// The attention's norm: before it, or (post-norm) after its sum.
    pub attention_norm: Option<Norm>,
    /// The attention.
    pub attention: Attention,
    /// The norm between the attention and its sum.
    pub attention_out_norm: Option<Norm>,
    /// LayerScale of the attention, `[d_model]`.
    pub attention_scale: Option<Param<Tensor<1>>>,
    /// The norm of the attention to the encoder.
    pub cross_norm: Option<Norm>,
    /// The attention to the encoder.
    pub cross: Option<Attention>,
    /// The feed-forward network's norm.
    pub feed_forward_norm: Option<Norm>,
    /// The feed-forward network.
    pub feed_forward: Option<FeedForward>,
    /// Or a mixture of several.
    pub experts: Option<Experts>,
    /// The norm between the feed-forward network and its sum.
    pub feed_forward_out_norm: Option<Norm>,
    /// LayerScale of the feed-forward network, `[d_model]`.
    pub feed_forward_scale: Option<Param<Tensor<1>>>,
    #[module(skip)]
    norm_position: NormPosition,
    saturates: bool,
}

/// What a block reads beside the stream.
#[derive(Debug, Clone, Default)]
pub struct BlockContext {
    /// What the attention sees.
    pub view: AttentionContext,
    /// Where in the cache's empty places the new keys belong; `None` puts them behind.
    pub room: Option<usize>,
    /// The encoder's output at the positions whose keys are not cached,
    /// `[batch, source, d_model]`; `None` where all are.
    pub encoded: Option<Tensor<3>>,
    /// What the attention to the encoder sees.
    pub cross: AttentionContext,
}

impl Block {
    /// One step of the stream, `[batch, seq, d_model] -> [batch, seq, d_model]`.
    ///
    /// Post-norm: t1 = MHA(x), t2 = t1 + x, t3 = LN(t2), t4 = FFN(t3), t5 = t4 + t3,
    /// h = LN(t5). Pre-norm: t1 = LN(x), t2 = MHA(t1), t3 = t2 + x, t4 = LN(t3),
    /// t5 = FFN(t4), h = t5 + t3. In the other positions t2 and t5 are what the sublayers
    /// write, t3 the stream with t2 and h with both; t1 and t4 are what the sublayers read,
    /// normed, or, where no norm stands before them, what they give to the norm after them.
    /// LayerScale is part of what a sublayer writes.
    pub fn forward(
        &self,
        x: Tensor<3>,
        around: &BlockContext,
        past: Option<LayerCache>,
        taps: &mut Taps,
    ) -> (Tensor<3>, LayerCache) {
        taps.record(["x", "resid_pre"], &x);
        match self.norm_position {
            NormPosition::Post => self.norms_after_sums(x, around, past, taps),
            _ => self.norms_on_branches(x, around, past, taps),
        }
    }

    fn norms_after_sums(
        &self,
        x: Tensor<3>,
        around: &BlockContext,
        past: Option<LayerCache>,
        taps: &mut Taps,
    ) -> (Tensor<3>, LayerCache) {
        let (own, encoded) = parts(past);
        let (attended, own) = self.attended(x.clone(), around, own, taps);
        let t1 = self.attention_written(attended, taps);
        taps.record(["t1", "attn_out"], &t1);
        let t2 = t1 + x;
        taps.record(["t2", ""], &t2);
        let mut t3 = normed(&self.attention_norm, "attention_norm", t2, taps);
        taps.record(["t3", "resid_mid"], &t3);
        let mut cross = None;
        if let Some((read, encoded)) = self.encoder_read(t3.clone(), around, encoded, taps) {
            taps.record(["cross_out", ""], &read);
            t3 = normed(&self.cross_norm, "cross_norm", read + t3, taps);
            taps.record(["resid_cross", ""], &t3);
            cross = Some(encoded);
        }
        let fed = self.fed(t3.clone(), taps);
        let t4 = self.feed_forward_written(fed, taps);
        taps.record(["t4", "ffn_out"], &t4);
        let t5 = t4 + t3;
        taps.record(["t5", ""], &t5);
        let h = normed(&self.feed_forward_norm, "feed_forward_norm", t5, taps);
        let h = self.held(h);
        taps.record(["h", "resid_post"], &h);
        (h, LayerCache { own, cross })
    }

    fn norms_on_branches(
        &self,
        x: Tensor<3>,
        around: &BlockContext,
        past: Option<LayerCache>,
        taps: &mut Taps,
    ) -> (Tensor<3>, LayerCache) {
        let before = self.norm_position.before();
        let (own, encoded) = parts(past);
        let input = normed(&self.attention_norm, "attention_norm", x.clone(), taps);
        let (attended, own) = self.attended(input.clone(), around, own, taps);
        taps.record(["t1", ""], if before { &input } else { &attended });
        let t2 = self.attention_written(attended, taps);
        taps.record(["t2", "attn_out"], &t2);
        let mut t3 = self.sum(t2, x.clone());
        taps.record(["t3", "resid_mid"], &t3);
        let mut cross = None;
        let query = normed(&self.cross_norm, "cross_norm", t3.clone(), taps);
        if let Some((read, encoded)) = self.encoder_read(query, around, encoded, taps) {
            taps.record(["cross_out", ""], &read);
            t3 = self.sum(read, t3);
            taps.record(["resid_cross", ""], &t3);
            cross = Some(encoded);
        }
        let read = match self.norm_position {
            NormPosition::ParallelTwoNorms => x,
            _ => t3.clone(),
        };
        let input = match self.norm_position {
            NormPosition::ParallelOneNorm => input,
            _ => normed(&self.feed_forward_norm, "feed_forward_norm", read, taps),
        };
        let fed = self.fed(input.clone(), taps);
        taps.record(["t4", ""], if before { &input } else { &fed });
        let t5 = self.feed_forward_written(fed, taps);
        taps.record(["t5", "ffn_out"], &t5);
        let h = self.sum(t5, t3);
        taps.record(["h", "resid_post"], &h);
        (h, LayerCache { own, cross })
    }

    /// The stream `x` with what a sublayer wrote: in float32 where either is.
    fn sum(&self, written: Tensor<3>, x: Tensor<3>) -> Tensor<3> {
        let sum = if written.dtype() == x.dtype() {
            written + x
        } else {
            typed(written, DType::F32) + typed(x, DType::F32)
        };
        self.held(sum)
    }

    /// The stream `x` within float16's range, where it is in that type and is to be held there.
    fn held(&self, x: Tensor<3>) -> Tensor<3> {
        if self.saturates && x.dtype() == DType::F16 {
            x.clamp(-FLOAT16_MOST, FLOAT16_MOST)
        } else {
            x
        }
    }

    /// What the attention makes of `x`, and the cache with this pass's keys and values.
    fn attended(
        &self,
        x: Tensor<3>,
        around: &BlockContext,
        past: Option<KeyValue>,
        taps: &mut Taps,
    ) -> (Tensor<3>, KeyValue) {
        let x = taps.begin(format_args!("attention"), x);
        let rotary = around.view.rotary.as_ref();
        let present = self.attention.keys_values(x.clone(), rotary, taps);
        let own = KeyValue::extended(past, around.room, present);
        let y = self.attention.attend(x, &own, &around.view, taps);
        (taps.end(y), own)
    }

    /// What `x` reads of the encoder's output, whose keys and values are cached, made here, or
    /// the one for the first positions and the other for the rest; `None` in a stack without an
    /// encoder.
    fn encoder_read(
        &self,
        x: Tensor<3>,
        around: &BlockContext,
        cached: Option<KeyValue>,
        taps: &mut Taps,
    ) -> Option<(Tensor<3>, KeyValue)> {
        let attention = self.cross.as_ref()?;
        let fresh = around.encoded.clone();
        let x = taps.begin(format_args!("cross"), x);
        let fresh = fresh.map(|state| attention.keys_values(state, None, taps));
        let encoded = match (fresh, cached) {
            (Some(fresh), cached) => KeyValue::extended(cached, None, fresh),
            (None, Some(cached)) => cached,
            (None, None) => {
                taps.end(x);
                return None;
            }
        };
        let y = attention.attend(x, &encoded, &around.cross, taps);
        Some((taps.end(y), encoded))
    }

    fn fed(&self, x: Tensor<3>, taps: &mut Taps) -> Tensor<3> {
        match (&self.feed_forward, &self.experts) {
            (Some(network), _) => {
                let x = taps.begin(format_args!("feed_forward"), x);
                let y = network.forward(x, taps);
                taps.end(y)
            }
            (None, Some(experts)) => {
                let x = taps.begin(format_args!("experts"), x);
                let y = experts.forward(x, taps);
                taps.end(y)
            }
            (None, None) => x,
        }
    }

    /// What the attention adds to the stream for its output `x`.
    fn attention_written(&self, x: Tensor<3>, taps: &mut Taps) -> Tensor<3> {
        let x = normed(&self.attention_out_norm, "attention_out_norm", x, taps);
        scaled(&self.attention_scale, "attention_scale", x, taps)
    }

    /// What the feed-forward network adds to the stream for its output `x`.
    fn feed_forward_written(&self, x: Tensor<3>, taps: &mut Taps) -> Tensor<3> {
        let norm = &self.feed_forward_out_norm;
        let x = normed(norm, "feed_forward_out_norm", x, taps);
        scaled(&self.feed_forward_scale, "feed_forward_scale", x, taps)
    }
}

fn parts(past: Option<LayerCache>) -> (Option<KeyValue>, Option<KeyValue>) {
    past.map_or((None, None), |past| (Some(past.own), past.cross))
}

/// `x` normalised by the part `name`, where there is one.
fn normed(norm: &Option<Norm>, name: &str, x: Tensor<3>, taps: &mut Taps) -> Tensor<3> {
    match norm {
        Some(norm) => {
            let x = taps.begin(format_args!("{name}"), x);
            taps.end(norm.forward(x))
        }
        None => x,
    }
}

/// `x` multiplied by the part `name`, where there is one.
fn scaled(
    scale: &Option<Param<Tensor<1>>>,
    name: &str,
    x: Tensor<3>,
    taps: &mut Taps,
) -> Tensor<3> {
    match scale {
        Some(scale) => {
            let x = taps.begin(format_args!("{name}"), x);
            taps.end(x * scale.val().unsqueeze())
        }
        None => x,
    }
}
