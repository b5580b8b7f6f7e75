//! Calls into foreign runtimes, which may panic where an error belongs.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use crate::error::{Error, Result};

thread_local! {
    /// Whether this thread's panics are caught, and need not be printed.
    static CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// Calls into a foreign runtime: its errors, and its panics, become [`Error::Runner`].
pub fn guard<T, E: std::fmt::Display>(
    runner: &str,
    call: impl FnOnce() -> std::result::Result<T, E>,
) -> Result<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !CAUGHT.get() {
                before(info);
            }
        }));
    });
    let outer = CAUGHT.replace(true);
    let outcome = catch_unwind(AssertUnwindSafe(call));
    CAUGHT.set(outer);
    match outcome {
        // `{:#}` prints the whole chain of causes where the error has one.
        Ok(result) => result.map_err(|e| Error::runner(runner, format!("{e:#}"))),
        Err(panic) => {
            let text = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("no message");
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
        assert!(!CAUGHT.get());
    }

    #[test]
    fn an_error_of_many_lines_becomes_one() {
        let error = guard::<(), _>("rten", || Err("no\n  such operation")).unwrap_err();
        assert_eq!(error.to_string(), "rten: no such operation");
    }
}
