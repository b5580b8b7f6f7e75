//! A text that is being written.

/// A text that is being written.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// Which prompt it is for.
    pub prompt: usize,
    /// Padding before it, as the longest prompt of the batch needs.
    pub pad: usize,
    /// How many of its tokens were given: the prompt's, or an encoder-decoder's start.
    pub given: usize,
    /// Its tokens, the given ones first.
    pub tokens: Vec<u32>,
}
