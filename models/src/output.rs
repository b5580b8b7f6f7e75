//! What a network gives.

use burn::tensor::Tensor;

use crate::blocks::cache::Cache;

/// A network's outputs; which there are depends on its stacks and heads.
#[derive(Debug, Clone, Default)]
pub struct Output {
    /// The stream after the last norm, `[batch, seq, d_model]`.
    pub last_hidden_state: Option<Tensor<3>>,
    /// What the head makes of it, `[batch, seq, size]`; `seq` is 1 where it reads a row as a
    /// whole.
    pub logits: Option<Tensor<3>>,
    /// `[batch, size]`, where there is a pooler.
    pub pooler_output: Option<Tensor<2>>,
    /// The encoder's stream after its last norm, `[batch, source, d_model]`, where a decoder
    /// reads it.
    pub encoder_last_hidden_state: Option<Tensor<3>>,
    /// How texts and images fit.
    pub similarity: Option<Similarity>,
    /// Keys and values of all positions so far, where there is a decoder.
    pub cache: Option<Cache>,
    /// The stream before each block and, last, at the end, each `[batch, seq, d_model]`: what
    /// transformers calls `hidden_states`.
    pub hidden_states: Vec<Tensor<3>>,
    /// The same of the encoder, where a decoder reads it.
    pub encoder_hidden_states: Vec<Tensor<3>>,
}

/// How texts and images fit.
#[derive(Debug, Clone)]
pub struct Similarity {
    /// `[images, texts]`.
    pub logits_per_image: Tensor<2>,
    /// `[texts, images]`.
    pub logits_per_text: Tensor<2>,
    /// `[texts, size]`, each of length 1.
    pub text_embeds: Tensor<2>,
    /// `[images, size]`, each of length 1.
    pub image_embeds: Tensor<2>,
}
