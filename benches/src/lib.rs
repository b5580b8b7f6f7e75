//! What the benches share: threads, interleaved timing, the machine's facts.
pub mod timing;
pub mod threads;
