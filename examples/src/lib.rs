//! Short programs, one idea each: the files beside `Cargo.toml`. `tests/all.rs` runs them all.
