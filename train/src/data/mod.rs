//! Where batches come from.

mod sampler;
pub(crate) mod text;

pub(crate) use text::{Blocks, Corpus};
