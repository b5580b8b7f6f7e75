//! Names to Burn devices: `"wgpu:1"` becomes a [`Device`], or one line that says why not and
//! what to do about it.
//!
//! Cargo features decide which backends a build holds; a name chooses one of them at run time.
//! This crate is the only place that names a backend. Drivers and adapters are found by asking
//! for them first ([`statuses`] shows what was found), so a machine without a GPU gets an
//! [`Error`] and never a panic from inside a driver.

mod adapter;
mod error;
pub mod kernels;
mod launches;
mod name;
mod precision;
mod probe;
mod products;

#[cfg(feature = "cuda")]
mod cuda;
#[cfg(feature = "cubecl")]
mod fusion;
#[cfg(feature = "wgpu")]
mod wgpu;

use burn::tensor::Device;
use serde::Serialize;

pub use error::Error;
pub use launches::{Launches, launches};
pub use name::{BackendKind, BackendName};
pub use precision::float_dtypes;
pub use products::{Products, products};

/// The device that `name` (`"flex"`, `"wgpu"`, `"cuda:1"`) stands for, probed and ready to use.
///
/// # Errors
/// A misspelt name, a backend not compiled in, a device not on this machine, and a device that
/// is there but cannot be used are four different [`Error`]s.
pub fn device(name: &str) -> Result<Device, Error> {
    probe::device(name.parse()?)
}

/// The backend used when nobody asks for one: `flex`, else `ndarray`, else the first one that is
/// compiled in and has a usable device; `None` where there is none.
pub fn default_name() -> Option<&'static str> {
    BackendKind::ALL
        .into_iter()
        .find(|kind| kind.compiled() && probe::usable(*kind))
        .map(BackendKind::name)
}

/// Whether `name` stands for a backend that runs on graphics cards. `false` for the CPU backends
/// and for what is not a backend's name; nothing is probed.
pub fn is_gpu(name: &str) -> bool {
    name.parse::<BackendName>()
        .is_ok_and(|name| name.kind.is_gpu())
}

/// One backend in this build on this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// The backend's name, also that of its cargo feature.
    pub name: &'static str,
    /// Whether this build holds it.
    pub compiled: bool,
    /// Whether [`device`] gives a device for at least one of its adapters.
    pub usable: bool,
    /// Whether it is the one used when nobody asks ([`default_name`]).
    pub default: bool,
    /// The devices found, in the order of their indices: the first is `name`, the next `name:1`.
    pub adapters: Vec<String>,
    /// Other ways to run it, as names: `wgpu:unfused`.
    pub variants: Vec<String>,
    /// Why it is absent, or why an adapter found cannot be used, each with the mend.
    pub reason: Option<String>,
}

/// Every known backend, in the order of [`BackendKind::ALL`].
pub fn statuses() -> Vec<Status> {
    let default = default_name();
    BackendKind::ALL
        .into_iter()
        .map(|kind| {
            let found = probe::adapters(kind);
            let adapters = found.as_deref().unwrap_or_default();
            let refusals: Vec<&str> = adapters
                .iter()
                .filter_map(|a| a.refused.as_deref())
                .collect();
            Status {
                name: kind.name(),
                compiled: kind.compiled(),
                usable: adapters.iter().any(|a| a.refused.is_none()),
                default: default == Some(kind.name()),
                adapters: adapters.iter().map(|a| a.name.clone()).collect(),
                variants: variants(kind),
                reason: match &found {
                    Err(error) => Some(error.to_string()),
                    Ok(_) if refusals.is_empty() => None,
                    Ok(_) => Some(refusals.join("; ")),
                },
            }
        })
        .collect()
}

/// The names of the ways to run `kind` beside its usual one.
fn variants(kind: BackendKind) -> Vec<String> {
    let unfused = BackendName {
        unfused: true,
        ..BackendName::first(kind)
    };
    kind.fuses()
        .then(|| unfused.to_string())
        .into_iter()
        .collect()
}
