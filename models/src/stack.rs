//! A stack: what starts the stream, the blocks that write into it, the norm at its end.

use burn::module::Module;
use burn::nn;
use burn::tensor::{DType, Device, Int, Tensor};
use serde::Serialize;

use crate::blocks::attention::View;
use crate::blocks::bias::BiasConfig;
use crate::blocks::block::{Block, BlockConfig, Surroundings};
use crate::blocks::cache::Cache;
use crate::blocks::embedding::{Counting, Embedding, EmbeddingConfig};
use crate::blocks::frames::{Frames, FramesConfig};
use crate::blocks::mask::{Sight, Span, attention_mask, padding_mask};
use crate::blocks::norm::{Norm, NormConfig};
use crate::blocks::patches::{Patches, PatchesConfig};
use crate::blocks::position::position_ids;
use crate::blocks::rotary::{Rotary, RotaryConfig};
use crate::blocks::taps::Taps;
use crate::error::{Error, Result};

/// The longest sequence where nothing else bounds it.
pub const UNBOUNDED: usize = 1 << 20;

/// What starts the stream.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum InputConfig {
    /// Token numbers.
    Tokens(EmbeddingConfig),
    /// Images.
    Patches(PatchesConfig),
    /// Sound.
    Frames(FramesConfig),
}

/// A stack.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StackConfig {
    /// Width of the residual stream.
    pub d_model: usize,
    /// How many blocks the stream passes.
    pub layers: usize,
    /// The blocks. Where they are fewer than `layers`, neighbouring layers share one (ALBERT,
    /// arXiv:1909.11942).
    pub blocks: Vec<BlockConfig>,
    /// What starts the stream.
    pub input: InputConfig,
    /// The longest sequence, its past included.
    pub max_positions: usize,
    /// What scores get for the distance of query and key.
    pub bias: Option<BiasConfig>,
    /// The norm after the last block.
    pub final_norm: Option<NormConfig>,
    /// Whether the last of the hidden states is that after the final norm, as in most families.
    pub hidden_states_end_normed: bool,
}

impl StackConfig {
    /// A stack of `layers` blocks alike.
    pub fn uniform(d_model: usize, layers: usize, block: BlockConfig, input: InputConfig) -> Self {
        let max_positions = match &input {
            InputConfig::Tokens(embedding) => embedding
                .position
                .map_or(UNBOUNDED, |position| position.positions()),
            InputConfig::Patches(patches) => patches.class_tokens() + patches.patches(),
            InputConfig::Frames(frames) => frames.positions,
        };
        Self {
            d_model,
            layers,
            blocks: vec![block; layers],
            input,
            max_positions,
            bias: None,
            final_norm: None,
            hidden_states_end_normed: true,
        }
    }

    /// The first block, for what all have in common.
    pub fn block(&self) -> &BlockConfig {
        &self.blocks[0]
    }

    /// The block that layer `layer` passes.
    pub fn block_of(&self, layer: usize) -> usize {
        layer * self.blocks.len() / self.layers
    }

    /// The embedding of tokens, where the stack reads tokens.
    pub fn tokens(&self) -> Option<&EmbeddingConfig> {
        match &self.input {
            InputConfig::Tokens(embedding) => Some(embedding),
            _ => None,
        }
    }

    /// Refuses sizes that no stack can have.
    ///
    /// # Errors
    /// Names the sizes that do not fit together.
    pub fn check(&self) -> Result<()> {
        let refuse = |text: String| Err(Error::Config(text));
        if self.blocks.is_empty() || self.layers < self.blocks.len() {
            return refuse(format!(
                "{} layers cannot be made of {} blocks",
                self.layers,
                self.blocks.len()
            ));
        }
        for block in &self.blocks {
            for attention in [Some(&block.attention), block.cross.as_ref()]
                .into_iter()
                .flatten()
            {
                attention.check()?;
            }
            if let Some(experts) = block.feed_forward.experts
                && experts.active > experts.count
            {
                return refuse(format!(
                    "{} of {} experts cannot be active",
                    experts.active, experts.count
                ));
            }
        }
        if let InputConfig::Patches(patches) = &self.input
            && patches.patches() == 0
        {
            return refuse(format!(
                "an image of {:?} has no patch of {:?}",
                patches.image, patches.patch
            ));
        }
        // Anything larger could not be built on any machine there is.
        if self.weights() > 1 << 43 {
            return refuse(format!(
                "the sizes make a model of about {} weights, which cannot be held",
                self.weights()
            ));
        }
        Ok(())
    }

    /// About how many weights there are.
    fn weights(&self) -> u128 {
        let wide = |size: usize| size as u128 * self.d_model as u128;
        let blocks = self.blocks.iter().map(|block| {
            let attention = &block.attention;
            let networks = block
                .feed_forward
                .experts
                .map_or(1, |experts| experts.count);
            4 * wide(attention.heads) * attention.head_dim as u128
                + 3 * wide(block.feed_forward.d_ff) * networks as u128
        });
        let input = match &self.input {
            InputConfig::Tokens(tokens) => {
                wide(tokens.vocab_size) + wide(tokens.position.map_or(0, |p| p.positions()))
            }
            InputConfig::Patches(patches) => {
                wide(patches.patches())
                    + wide(patches.channels) * (patches.patch[0] * patches.patch[1]) as u128
            }
            InputConfig::Frames(frames) => wide(frames.positions) + 3 * wide(frames.mel_bins),
        };
        blocks.sum::<u128>() + input
    }

    /// The stack with fresh weights.
    pub fn init(&self, std: f64, device: &Device) -> Stack {
        let d_model = self.d_model;
        let (mut embedding, mut patches, mut frames) = (None, None, None);
        match &self.input {
            InputConfig::Tokens(config) => embedding = Some(config.init(d_model, std, device)),
            InputConfig::Patches(config) => patches = Some(config.init(d_model, std, device)),
            InputConfig::Frames(config) => frames = Some(config.init(d_model, std, device)),
        }
        let heads = self.block().attention.heads;
        Stack {
            embedding,
            patches,
            frames,
            relative: self.bias.and_then(|bias| bias.init(heads, std, device)),
            layers: self
                .blocks
                .iter()
                .map(|block| block.init(d_model, std, device))
                .collect(),
            final_norm: self.final_norm.map(|norm| norm.init(d_model, device)),
            config: self.clone(),
        }
    }
}

/// What goes into a stack. One is made a pass, so its size is no matter.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant)]
pub enum Signal {
    /// Token numbers and their types, each `[batch, seq]`, and the table of tokens
    /// `[vocab, width]`.
    Tokens {
        /// Token numbers.
        ids: Tensor<2, Int>,
        /// Token types.
        types: Option<Tensor<2, Int>>,
        /// The table of tokens.
        table: Tensor<2>,
    },
    /// Images `[batch, channels, height, width]`.
    Pixels(Tensor<4>),
    /// Spectrograms `[batch, mel_bins, frames]`.
    Features(Tensor<3>),
}

/// An encoder's output, for the stack that reads it.
#[derive(Debug, Clone)]
pub struct Encoded {
    /// `[batch, source, d_model]`; `None` where the cache has its keys and values.
    pub state: Option<Tensor<3>>,
    /// `[batch, source]`, 0 for padding.
    pub keep: Option<Tensor<2, Int>>,
}

/// What a stack gives.
#[derive(Debug, Clone)]
pub struct Streamed {
    /// The stream after the final norm, `[batch, seq, d_model]`.
    pub state: Tensor<3>,
    /// The stream before each block and after the last, each `[batch, seq, d_model]`.
    pub hidden_states: Vec<Tensor<3>>,
    /// Keys and values of all positions so far.
    pub cache: Cache,
}

/// Input, blocks and final norm.
#[derive(Module, Debug)]
pub struct Stack {
    /// Tokens into the stream.
    pub embedding: Option<Embedding>,
    /// Or images.
    pub patches: Option<Patches>,
    /// Or sound.
    pub frames: Option<Frames>,
    /// `[buckets, heads]`, where scores are biased by a learned table.
    pub relative: Option<nn::Embedding>,
    /// The blocks.
    pub layers: Vec<Block>,
    /// The norm after the last block.
    pub final_norm: Option<Norm>,
    #[module(skip)]
    config: StackConfig,
}

impl Stack {
    /// Runs the stack, called `name` in the taps. `keep` is `[batch, past + seq]` with 0 for
    /// padding.
    pub fn forward(
        &self,
        name: &str,
        signal: Signal,
        keep: Option<Tensor<2, Int>>,
        cache: Option<Cache>,
        encoded: Option<Encoded>,
        taps: &mut Taps,
    ) -> Streamed {
        let past = cache.as_ref().map_or(0, Cache::past);
        let (mut x, positions) = self.start(signal, keep.as_ref(), past);
        let [batch, query, _] = x.dims();
        let filled = cache.as_ref().and_then(Cache::filled);
        let cache = match filled {
            Some(_) => cache.map(|cache| cache.with_room(query)),
            None => cache,
        };
        let room = cache.as_ref().map_or(0, Cache::room);
        let span = Span {
            batch,
            query,
            past,
            // The places that this pass fills are no longer empty.
            room: room.saturating_sub(query),
        };
        let place = Place {
            span,
            keep: keep.map(|keep| widened(keep, span)),
            positions,
            device: x.device(),
            dtype: x.dtype(),
        };
        let views = self.views(&place);
        let bias = self.bias(&place);
        let cross = View {
            mask: encoded
                .as_ref()
                .and_then(|encoded| encoded.keep.as_ref())
                .map(|keep| padding_mask(keep, query)),
            ..View::default()
        };

        let mut hidden_states = Vec::with_capacity(self.config.layers + 1);
        let mut caches = Vec::with_capacity(self.config.layers);
        let mut past = cache.map(|cache| cache.layers.into_iter());
        for layer in 0..self.config.layers {
            hidden_states.push(x.clone());
            let block = self.config.block_of(layer);
            let around = Surroundings {
                view: View {
                    bias: bias.clone(),
                    ..views[block].clone()
                },
                room: filled,
                encoded: encoded.as_ref().and_then(|encoded| encoded.state.clone()),
                cross: cross.clone(),
            };
            taps.enter(name, layer);
            let past = past.as_mut().and_then(Iterator::next);
            let (h, cache) = self.layers[block].forward(x, &around, past, taps);
            caches.push(cache);
            x = h;
        }
        let last = x.clone();
        if let Some(norm) = &self.final_norm {
            x = norm.forward(x);
        }
        hidden_states.push(match self.config.hidden_states_end_normed {
            true => x.clone(),
            false => last,
        });
        Streamed {
            state: x,
            hidden_states,
            cache: Cache::after(caches, filled, query),
        }
    }

    /// The stream before the first block, `[batch, seq, d_model]`, and its positions
    /// `[batch, seq]`.
    fn start(
        &self,
        signal: Signal,
        keep: Option<&Tensor<2, Int>>,
        past: usize,
    ) -> (Tensor<3>, Option<Tensor<2, Int>>) {
        match (signal, &self.embedding, &self.patches, &self.frames) {
            (Signal::Tokens { ids, types, table }, Some(embedding), ..) => {
                let [batch, query] = ids.dims();
                let span = Span {
                    batch,
                    query,
                    past,
                    room: 0,
                };
                let positions = self.positions(&ids, keep, span);
                let x = embedding.forward(table, ids, positions.clone(), types);
                (x, Some(positions))
            }
            (Signal::Pixels(pixels), _, Some(patches), _) => (patches.forward(pixels), None),
            (Signal::Features(features), _, _, Some(frames)) => (frames.forward(features), None),
            _ => unreachable!("the network gives each stack what its configuration reads"),
        }
    }

    fn positions(
        &self,
        ids: &Tensor<2, Int>,
        keep: Option<&Tensor<2, Int>>,
        span: Span,
    ) -> Tensor<2, Int> {
        let counting = self.config.tokens().map(|tokens| tokens.counting);
        let Some(Counting::KeptBut(padding)) = counting else {
            return position_ids(keep, span, &ids.device());
        };
        let mut counted = ids.clone().not_equal_elem(padding as i64).int();
        if let Some(keep) = keep {
            counted = counted * keep.clone();
        }
        // Padding keeps the row of position −1.
        counted.clone().cumsum(1) * counted - 1
    }

    /// What each block's queries see.
    fn views(&self, place: &Place) -> Vec<View> {
        let mut masks: Vec<(Sight, View)> = Vec::new();
        let mut tables: Vec<(RotaryConfig, Rotary)> = Vec::new();
        let mut views = Vec::with_capacity(self.config.blocks.len());
        for block in &self.config.blocks {
            let sight = block.attention.sight();
            let known = masks.iter().find(|(known, _)| *known == sight);
            let mut view = match known {
                Some((_, view)) => view.clone(),
                None => {
                    let keep = place.keep.as_ref();
                    let view = View {
                        mask: attention_mask(keep, sight, place.span, &place.device),
                        ..View::default()
                    };
                    masks.push((sight, view.clone()));
                    view
                }
            };
            if let (Some(rotary), Some(positions)) = (&block.attention.rotary, &place.positions) {
                let known = tables.iter().find(|(known, _)| known == rotary);
                view.rotary = Some(match known {
                    Some((_, table)) => table.clone(),
                    None => {
                        let table = rotary.tables(positions, place.dtype);
                        tables.push((rotary.clone(), table.clone()));
                        table
                    }
                });
            }
            views.push(view);
        }
        views
    }

    /// What is added to the scores of all layers, `[batch, heads, query, key]`.
    fn bias(&self, place: &Place) -> Option<Tensor<4>> {
        let heads = self.config.block().attention.heads;
        let (table, keep) = (self.relative.as_ref(), place.keep.as_ref());
        let on = (&place.device, place.dtype);
        let bias = self.config.bias?;
        Some(bias.scores(table, heads, keep, place.span, on))
    }
}

/// Where a pass takes place.
struct Place {
    span: Span,
    /// `[batch, key]`, empty places included.
    keep: Option<Tensor<2, Int>>,
    positions: Option<Tensor<2, Int>>,
    device: Device,
    dtype: DType,
}

/// `keep` `[batch, past + seq]` with zeros for the cache's empty places.
fn widened(keep: Tensor<2, Int>, span: Span) -> Tensor<2, Int> {
    match span.room {
        0 => keep,
        room => {
            let empty = Tensor::zeros([span.batch, room], &keep.device());
            Tensor::cat(vec![keep, empty], 1)
        }
    }
}
