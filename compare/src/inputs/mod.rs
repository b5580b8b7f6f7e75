//! What models and their files are given: split from expected outputs, filled in, made up.

mod filled;
mod limits;
pub(crate) mod mask;
mod past;
pub mod positions;
pub mod samples;
pub mod signature;
pub mod steps;

pub use filled::{complete, filled};
pub(crate) use fluxo_verify::inputs::integers;
pub use fluxo_verify::inputs::split;
pub(crate) use past::{past, past_name};
