//! The binary itself: every verb, its JSON, and one clear line for whatever is wrong.
#![allow(clippy::unwrap_used)]

mod answers;
mod bench;
mod checkpoints;
mod common;
mod comparing;
// Elsewhere a shell does not limit the address space.
#[cfg(target_os = "linux")]
mod dying;
mod export;
mod exported;
#[cfg(unix)]
mod full_disk;
mod generate;
mod inputs;
mod inspect;
#[cfg(unix)]
mod interrupted;
mod listing;
mod naming;
mod new;
mod page;
mod places;
#[cfg(unix)]
mod refusing;
mod run;
mod tasks;
mod train;
mod verdict;
