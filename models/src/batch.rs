//! What a network reads.

use burn::tensor::{Int, Tensor};

use crate::blocks::cache::Cache;
use crate::blocks::rotary::Length;

/// A network's inputs; which of them it reads depends on its stacks.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Token numbers `[batch, seq]`; of an encoder-decoder those of the encoder.
    pub input_ids: Option<Tensor<2, Int>>,
    /// 1 for tokens and 0 for padding, `[batch, past + seq]`; of an encoder-decoder that of the
    /// encoder, `[batch, source]`.
    pub attention_mask: Option<Tensor<2, Int>>,
    /// Token types `[batch, seq]`.
    pub token_type_ids: Option<Tensor<2, Int>>,
    /// Positions `[batch, seq]` of the tokens of a model with one stack that reads text, as
    /// transformers takes them; counted where there are none.
    pub position_ids: Option<Tensor<2, Int>>,
    /// Images `[batch, channels, height, width]`.
    pub pixel_values: Option<Tensor<4>>,
    /// Spectrograms `[batch, mel_bins, frames]`.
    pub input_features: Option<Tensor<3>>,
    /// Token numbers `[batch, seq]` of an encoder-decoder's decoder.
    pub decoder_input_ids: Option<Tensor<2, Int>>,
    /// 1 for tokens and 0 for padding of the decoder, `[batch, past + seq]`.
    pub decoder_attention_mask: Option<Tensor<2, Int>>,
    /// Positions `[batch, seq]` of the decoder's tokens; counted where there are none.
    pub decoder_position_ids: Option<Tensor<2, Int>>,
    /// The encoder's output `[batch, source, d_model]`, where it was run before; all of it, also
    /// where the cache has keys and values of its first positions.
    pub encoded: Option<Tensor<3>>,
    /// The positions already seen.
    pub cache: Option<Cache>,
    /// Whether a head that answers for each position is to answer for the last alone, as the
    /// next token needs it.
    pub last_only: bool,
    /// Whose length scaled positions depend on.
    pub length: Length,
}

impl Batch {
    /// Tokens alone: nothing is padding, nothing came before.
    pub fn new(input_ids: Tensor<2, Int>) -> Self {
        Self {
            input_ids: Some(input_ids),
            ..Self::default()
        }
    }

    /// Images alone.
    pub fn images(pixel_values: Tensor<4>) -> Self {
        Self {
            pixel_values: Some(pixel_values),
            ..Self::default()
        }
    }
}
