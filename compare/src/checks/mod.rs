//! What is looked at beside outputs: the text that is written, hard inputs, and time.

pub mod generation;
pub mod stress;
pub mod timing;
