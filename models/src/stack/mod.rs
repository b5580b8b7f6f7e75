//! A stack: what starts the stream, the blocks that write into it, the norm at its end.

mod config;

use burn::module::Module;
use burn::nn;
use burn::tensor::{DType, Device, Int, Tensor};

use crate::blocks::attention::AttentionContext;
use crate::blocks::block::{Block, BlockContext};
use crate::blocks::cache::Cache;
use crate::blocks::embedding::{Counting, Embedding};
use crate::blocks::frames::Frames;
use crate::blocks::mask::{AttentionPattern, Span, attention_mask, padding_mask};
use crate::blocks::norm::Norm;
use crate::blocks::patches::Patches;
use crate::blocks::position::position_ids;
use crate::blocks::rotary::{Length, Rotary, RotaryConfig};
use crate::blocks::taps::Taps;

pub use config::{InputConfig, StackConfig, UNBOUNDED};

/// What goes into a stack. One is made a pass, so its size is no matter.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant)]
pub enum StackInput {
    /// Token numbers, their types and positions, each `[batch, seq]`, and the table of tokens
    /// `[vocab, width]`.
    Tokens {
        /// Token numbers.
        ids: Tensor<2, Int>,
        /// Token types.
        types: Option<Tensor<2, Int>>,
        /// Positions; counted where they are not given.
        positions: Option<Tensor<2, Int>>,
        /// The table of tokens.
        table: Tensor<2>,
        /// Whose length scaled positions depend on.
        length: Length,
    },
    /// Images `[batch, channels, height, width]`.
    Pixels(Tensor<4>),
    /// Spectrograms `[batch, mel_bins, frames]`.
    Features(Tensor<3>),
}

impl StackInput {
    /// Whose length scaled positions depend on.
    fn length(&self) -> Length {
        match self {
            Self::Tokens { length, .. } => *length,
            _ => Length::Batch,
        }
    }
}

/// An encoder's output, for the stack that reads it.
#[derive(Debug, Clone)]
pub struct Encoded {
    /// The positions whose keys and values the cache has not, `[batch, source, d_model]`;
    /// `None` where it has all.
    pub state: Option<Tensor<3>>,
    /// `[batch, source]`, 0 for padding.
    pub keep: Option<Tensor<2, Int>>,
}

/// What a stack gives.
#[derive(Debug, Clone)]
pub struct StackOutput {
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
    /// Runs the stack, the module `name`, called `shown` in the taps. `keep` is `[batch, past + seq]` with 0 for
    /// padding.
    pub fn forward(
        &self,
        [name, shown]: [&str; 2],
        signal: StackInput,
        keep: Option<Tensor<2, Int>>,
        cache: Option<Cache>,
        encoded: Option<Encoded>,
        taps: &mut Taps,
    ) -> StackOutput {
        let past = cache.as_ref().map_or(0, Cache::past);
        let length = signal.length();
        let (mut x, positions) = self.start(name, signal, keep.as_ref(), past, taps);
        let encoded = encoded.map(|encoded| Encoded {
            state: encoded.state.map(|state| {
                let state = taps.begin(format_args!("{name}.encoded"), state);
                taps.end(state)
            }),
            ..encoded
        });
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
            length,
            device: x.device(),
            dtype: x.dtype(),
        };
        let views = self.views(&place);
        let bias = self.bias(&place, taps);
        let cross = AttentionContext {
            mask: encoded
                .as_ref()
                .and_then(|encoded| encoded.keep.as_ref())
                .map(|keep| padding_mask(keep, query)),
            ..AttentionContext::default()
        };

        let mut hidden_states = Vec::with_capacity(self.config.layers + 1);
        let mut caches = Vec::with_capacity(self.config.layers);
        let mut past = cache.map(|cache| cache.layers.into_iter());
        for layer in 0..self.config.layers {
            let past = past.as_mut().and_then(Iterator::next);
            if taps.skips(format_args!("{name}.layers.{layer}")) {
                continue;
            }
            hidden_states.push(x.clone());
            let block = self.config.block_of(layer);
            let around = BlockContext {
                view: AttentionContext {
                    bias: bias.clone(),
                    ..views[block].clone()
                },
                room: filled,
                encoded: encoded.as_ref().and_then(|encoded| encoded.state.clone()),
                cross: cross.clone(),
            };
            taps.enter(shown, layer);
            x = taps.begin(format_args!("{name}.layers.{layer}"), x);
            let block = taps.weights(&self.layers[block]);
            let (h, cache) = block.forward(x, &around, past, taps);
            caches.push(cache);
            x = taps.end(h);
        }
        let last = x.clone();
        if let Some(norm) = &self.final_norm {
            x = taps.begin(format_args!("{name}.final_norm"), x);
            let norm = taps.weights(norm);
            x = taps.end(norm.forward(x));
        }
        hidden_states.push(if self.config.hidden_states_end_normed {
            x.clone()
        } else {
            last
        });
        StackOutput {
            state: x,
            hidden_states,
            cache: Cache::after(caches, filled, query),
        }
    }

    /// The stream before the first block, `[batch, seq, d_model]`, and its positions
    /// `[batch, seq]`.
    fn start(
        &self,
        name: &str,
        signal: StackInput,
        keep: Option<&Tensor<2, Int>>,
        past: usize,
        taps: &mut Taps,
    ) -> (Tensor<3>, Option<Tensor<2, Int>>) {
        match (signal, &self.embedding, &self.patches, &self.frames) {
            (
                StackInput::Tokens {
                    ids,
                    types,
                    positions,
                    table,
                    ..
                },
                Some(embedding),
                ..,
            ) => {
                let [batch, query] = ids.dims();
                let span = Span {
                    batch,
                    query,
                    past,
                    room: 0,
                };
                let positions = self.positions(&ids, positions, keep, span);
                taps.start(format_args!("{name}.embedding"));
                let embedding = embedding.without_tokens();
                let embedding = taps.weights(&embedding);
                let x = embedding.forward(table, ids, positions.clone(), types, taps);
                (taps.end(x), Some(positions))
            }
            (StackInput::Pixels(pixels), _, Some(patches), _) => {
                taps.start(format_args!("{name}.patches"));
                let x = taps.weights(patches).forward(pixels, taps);
                (taps.end(x), None)
            }
            (StackInput::Features(features), _, _, Some(frames)) => {
                taps.start(format_args!("{name}.frames"));
                let x = taps.weights(frames).forward(features);
                (taps.end(x), None)
            }
            _ => unreachable!("the network gives each stack what its configuration reads"),
        }
    }

    /// The positions of `ids`, `[batch, seq]` from 0: as they are `given`, else counted.
    fn positions(
        &self,
        ids: &Tensor<2, Int>,
        given: Option<Tensor<2, Int>>,
        keep: Option<&Tensor<2, Int>>,
        span: Span,
    ) -> Tensor<2, Int> {
        let counting = self.config.tokens().map(|tokens| tokens.counting);
        match (counting.unwrap_or(Counting::Columns), given) {
            // Given ones are rows of the table, the first of which are padding's.
            (Counting::But(padding), Some(given)) => given - (padding as i64 + 1),
            (_, Some(given)) => given,
            (Counting::But(padding), None) => {
                let counted = ids.clone().not_equal_elem(padding as i64).int();
                // Padding keeps the row of position −1.
                counted.clone().cumsum(1) * counted - 1
            }
            (Counting::Kept | Counting::KeptAlways, None) => {
                position_ids(keep, span, &ids.device())
            }
            (Counting::Columns, None) => position_ids(None, span, &ids.device()),
        }
    }

    /// What each block's queries see.
    fn views(&self, place: &Place) -> Vec<AttentionContext> {
        let mut masks: Vec<(AttentionPattern, AttentionContext)> = Vec::new();
        let mut tables: Vec<(RotaryConfig, Rotary)> = Vec::new();
        let mut views = Vec::with_capacity(self.config.blocks.len());
        for block in &self.config.blocks {
            let sight = block.attention.sight();
            let known = masks.iter().find(|(known, _)| *known == sight);
            let mut view = match known {
                Some((_, view)) => view.clone(),
                None => {
                    let keep = place.keep.as_ref();
                    let view = AttentionContext {
                        mask: attention_mask(keep, sight, place.span, &place.device),
                        ..AttentionContext::default()
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
                        let table = rotary.tables(positions, place.dtype, place.length);
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
    fn bias(&self, place: &Place, taps: &mut Taps) -> Option<Tensor<4>> {
        let heads = self.config.block().attention.heads;
        let table = self.relative.as_ref().map(|table| taps.weights(table));
        let (table, keep) = (table.as_deref(), place.keep.as_ref());
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
    length: Length,
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
