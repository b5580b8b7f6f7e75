//! This crate's errors are those of [`fluxo_verify`]; what the zoo refuses becomes one.

pub use fluxo_verify::error::{Error, Result, io};

/// What the zoo refused.
pub(crate) fn zoo(error: fluxo_models::Error) -> Error {
    match error {
        fluxo_models::Error::Input(reason) => Error::Input(reason),
        other => Error::Other(Box::new(other)),
    }
}
