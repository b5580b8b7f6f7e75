//! The binary itself: every verb, its JSON, and one clear line for whatever is wrong.
#![allow(clippy::unwrap_used)]

#[path = "cli/answers.rs"]
mod answers;
#[path = "cli/checkpoints.rs"]
mod checkpoints;
#[path = "cli/common.rs"]
mod common;
#[path = "cli/comparing.rs"]
mod comparing;
// Elsewhere a shell does not limit the address space.
#[cfg(target_os = "linux")]
#[path = "cli/dying.rs"]
mod dying;
#[path = "cli/export.rs"]
mod export;
#[path = "cli/exported.rs"]
mod exported;
#[cfg(unix)]
#[path = "cli/full_disk.rs"]
mod full_disk;
#[path = "cli/generate.rs"]
mod generate;
#[path = "cli/inputs.rs"]
mod inputs;
#[path = "cli/inspect.rs"]
mod inspect;
#[path = "cli/listing.rs"]
mod listing;
#[path = "cli/naming.rs"]
mod naming;
#[path = "cli/new.rs"]
mod new;
#[path = "cli/page.rs"]
mod page;
#[path = "cli/places.rs"]
mod places;
#[cfg(unix)]
#[path = "cli/refusing.rs"]
mod refusing;
#[path = "cli/run.rs"]
mod run;
#[path = "cli/tasks.rs"]
mod tasks;
#[path = "cli/train.rs"]
mod train;
#[path = "cli/verdict.rs"]
mod verdict;
