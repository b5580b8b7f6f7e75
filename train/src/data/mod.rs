//! Where examples come from.

pub(crate) mod images;
pub(crate) mod pairs;
mod row;
pub(crate) mod sampler;
mod split;
pub(crate) mod text;
pub(crate) mod tokens;

pub(crate) use row::{Row, Split};
pub(crate) use split::{Splits, labels};
pub(crate) use text::Corpus;
