//! What the crates of Fluxo share of files that appear whole and of panics that become errors.

pub mod atomic;
pub mod panics;
pub mod temporary;
