//! The names of runners.

use fluxo_backends::{BackendKind, BackendName};
use serde::Serialize;

use crate::error::{Error, Result};
use crate::files::RUNTIMES;
use crate::runner::{ort, ort_library};

/// One runtime on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuntimeStatus {
    /// Its name.
    pub name: &'static str,
    /// Whether it can run here.
    pub usable: bool,
    /// What was found, or why it cannot.
    pub about: String,
}

/// Every runtime, and what was found of it.
pub fn runtimes() -> Vec<RuntimeStatus> {
    let status = |name| {
        let (usable, about) = match name {
            ort::NAME => match ort_library::environment().and_then(|_| ort_library::find()) {
                Ok(path) => (true, path.display().to_string()),
                Err(Error::Unavailable { reason, .. }) => (false, reason),
                Err(error) => (false, error.to_string()),
            },
            _ => (true, "built in".to_string()),
        };
        RuntimeStatus {
            name,
            usable,
            about,
        }
    };
    RUNTIMES.map(status).to_vec()
}

pub(super) fn is_runtime(name: &str) -> bool {
    RUNTIMES.contains(&name)
}

/// `names`, each known and there once.
pub(super) fn checked(names: &[String]) -> Result<Vec<String>> {
    for (i, name) in names.iter().enumerate() {
        if names[..i].contains(name) {
            return Err(Error::NamedTwice(name.clone()));
        }
        if is_runtime(name) {
            continue;
        }
        let (backend, _) = fluxo_verify::runner::precision(name);
        let parsed = backend.parse::<BackendName>();
        if let Err(error @ fluxo_backends::Error::FusesNothing { .. }) = parsed {
            return Err(error.into());
        }
        if parsed.is_err() {
            let known = BackendKind::ALL
                .into_iter()
                .map(BackendKind::name)
                .chain(RUNTIMES);
            return Err(Error::UnknownRunner {
                name: name.clone(),
                known: known.collect::<Vec<_>>().join(", "),
            });
        }
    }
    Ok(names.to_vec())
}

/// Every backend that works here, and every runtime.
pub(super) fn everything() -> Vec<String> {
    let backends = fluxo_backends::statuses()
        .into_iter()
        .filter(|status| status.usable);
    backends
        .map(|status| status.name)
        .chain(RUNTIMES)
        .map(str::to_string)
        .collect()
}
