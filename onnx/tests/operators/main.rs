//! Every lowered family of operators: Burn against the embedded runtimes, at sizes no trace had.
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;

mod activations;
mod arithmetic;
mod attention;
mod case;
mod choices;
mod created;
mod images;
mod layout;
mod reductions;
