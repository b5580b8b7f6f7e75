//! Where examples come from.

pub(crate) mod images;
pub(crate) mod pairs;
mod row;
pub(crate) mod sampler;
mod split;
pub(crate) mod text;
pub(crate) mod tokens;

pub(crate) use row::{Part, Row};
pub(crate) use split::{Split, labels};
pub(crate) use text::Corpus;
