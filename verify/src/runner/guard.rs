//! Calls into foreign runtimes, which may panic where an error belongs.

use fluxo_support::panics::catch;

use crate::error::{Error, Result};

/// Calls into a foreign runtime: its errors, and its panics, become [`Error::Runner`].
pub fn guard<T, E: std::fmt::Display>(
    runner: &str,
    call: impl FnOnce() -> std::result::Result<T, E>,
) -> Result<T> {
    match catch(call) {
        // `{:#}` prints the whole chain of causes where the error has one.
        Ok(result) => result.map_err(|e| Error::runner(runner, format!("{e:#}"))),
        Err(panic) => {
            let text = panic.message().unwrap_or("no message");
            Err(Error::runner(runner, format!("it panicked: {text}")))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_panic_in_a_runtime_is_an_error() {
        let error = guard::<(), Error>("tract", || panic!("no such axis")).unwrap_err();
        assert_eq!(error.to_string(), "tract: it panicked: no such axis");
    }

    #[test]
    fn an_error_of_many_lines_becomes_one() {
        let error = guard::<(), _>("rten", || Err("no\n  such operation")).unwrap_err();
        assert_eq!(error.to_string(), "rten: no such operation");
    }
}
