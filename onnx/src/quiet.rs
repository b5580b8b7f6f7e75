//! Panics of the caller's closure as values.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Once;

use crate::error::Error;

/// Ends the closure with an error instead of a panic message.
pub(crate) fn abandon(error: Error) -> ! {
    resume_unwind(Box::new(error))
}

/// Why a closure did not end well.
pub(crate) enum Stop {
    /// By [`abandon`].
    Typed(Error),
    /// By a panic: its message and place.
    Panic(String),
}

thread_local! {
    /// Whether panics on this thread are the caller's closure's.
    static LISTENING: Cell<bool> = const { Cell::new(false) };
    /// Where the last of them was.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs `f`; a panic becomes a value and prints nothing.
pub(crate) fn quietly<T>(f: impl FnOnce() -> T) -> std::result::Result<T, Stop> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if LISTENING.get() {
                let place = info
                    .location()
                    .map(|at| format!(" ({}:{})", at.file(), at.line()));
                PLACE.set(place);
            } else {
                before(info);
            }
        }));
    });
    LISTENING.set(true);
    let outcome = catch_unwind(AssertUnwindSafe(f));
    LISTENING.set(false);
    let place = PLACE.take().unwrap_or_default();
    outcome.map_err(|payload| match payload.downcast::<Error>() {
        Ok(error) => Stop::Typed(*error),
        Err(payload) => {
            let text = payload
                .downcast_ref::<String>()
                .cloned()
                .or_else(|| payload.downcast_ref::<&str>().map(|text| text.to_string()))
                .unwrap_or_else(|| "a panic without a message".into());
            Stop::Panic(one_line(&text) + &place)
        }
    })
}

/// A message of several lines in one. Burn's begin with a headline that says nothing, and end with
/// the reason.
fn one_line(text: &str) -> String {
    let lines = text.lines().map(str::trim);
    let said = lines.filter(|line| !line.is_empty() && !line.starts_with("==="));
    said.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_of_a_tensor_check_is_kept() {
        let text = "=== Tensor Operation Error ===\n  Operation: 'Add'\n  Reason:\n    1. The \
                    provided tensors have incompatible shapes. \n";
        let wanted = "Operation: 'Add' Reason: 1. The provided tensors have incompatible shapes.";
        assert_eq!(one_line(text), wanted);
        assert_eq!(one_line("one"), "one");
    }
}
