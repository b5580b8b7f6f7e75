//! What the demo trains on, built into the binary.

/// Sources and documents of Fluxo, one after the other, as they were when this was made: what the demo
/// shows does not change with them.
pub const TEXT: &str = include_str!("demo_text.txt");
