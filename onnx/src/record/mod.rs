//! A forward pass on Burn's capture device: nothing is computed, every operation is noted.

pub mod args;
mod canonical;
pub mod capture;
pub mod module;
pub mod panic_capture;
pub mod parameters;
pub mod plan;
#[cfg(feature = "flex")]
pub mod replay;
