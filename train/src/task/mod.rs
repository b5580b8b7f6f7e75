//! What a run teaches: how a batch is cut, and what the loss is.

pub(crate) mod text_generation;
