//! What this crate's tests share.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

/// The path of a fixture.
pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

/// Says that a check did not run; where nothing may be left out, that is a failure.
pub(crate) fn skip(check: &str, reason: impl std::fmt::Display) {
    assert!(
        std::env::var_os("FLUXO_REQUIRE_ALL").is_none(),
        "{check} was skipped: {reason}"
    );
    eprintln!("skipped: {check}: {reason}");
}
