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
            let line = text.lines().next().unwrap_or_default().to_string();
            Stop::Panic(line + &place)
        }
    })
}
