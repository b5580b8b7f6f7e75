//! Every lowered family of operators: Burn against the embedded runtimes, at sizes no trace had.
#![allow(clippy::unwrap_used)]

mod common;

#[path = "operators/activations.rs"]
mod activations;
#[path = "operators/arithmetic.rs"]
mod arithmetic;
#[path = "operators/attention.rs"]
mod attention;
#[path = "operators/case.rs"]
mod case;
#[path = "operators/choices.rs"]
mod choices;
#[path = "operators/created.rs"]
mod created;
#[path = "operators/images.rs"]
mod images;
#[path = "operators/layout.rs"]
mod layout;
#[path = "operators/reductions.rs"]
mod reductions;
