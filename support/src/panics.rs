//! Panics of code that is not ours, as values.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

/// A panic that was caught.
pub struct Caught {
    /// What it was raised with.
    pub payload: Box<dyn Any + Send>,
    /// The file and line where, in brackets behind a space; empty where that is not known.
    pub place: String,
}

impl Caught {
    /// Its message, where it has one.
    pub fn message(&self) -> Option<&str> {
        message(&*self.payload)
    }
}

/// The message of a panic that was raised with `payload`, where it has one.
pub fn message(payload: &(dyn Any + Send)) -> Option<&str> {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied())
}

thread_local! {
    /// Whether this thread's panics are caught, and need not be printed.
    static CATCHING: Cell<bool> = const { Cell::new(false) };
    /// Where the last of them was.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs `f`; a panic becomes a value and prints nothing.
///
/// # Errors
/// The panic.
pub fn catch<T>(f: impl FnOnce() -> T) -> Result<T, Caught> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if CATCHING.get() {
                let place = info.location();
                PLACE.set(place.map(|at| format!(" ({}:{})", at.file(), at.line())));
            } else {
                before(info)
            }
        }));
    });
    let outer = CATCHING.replace(true);
    let outcome = catch_unwind(AssertUnwindSafe(f));
    CATCHING.set(outer);
    let place = PLACE.take().unwrap_or_default();
    outcome.map_err(|payload| Caught { payload, place })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_value_with_its_message_and_place() {
        let caught = catch(|| panic!("no {}", "axis"));
        let caught: Caught = match caught {
            Ok(()) => unreachable!(),
            Err(caught) => caught,
        };
        assert_eq!(caught.message(), Some("no axis"));
        assert!(caught.place.contains("panics.rs:"), "{}", caught.place);
        assert!(!CATCHING.get());
    }

    #[test]
    fn one_within_another_leaves_the_outer_catching() {
        let outer = catch(|| {
            assert!(catch(|| panic!("inner")).is_err());
            assert!(CATCHING.get());
            7
        });
        assert!(matches!(outer, Ok(7)));
        // A payload that is no text.
        let caught = catch(|| std::panic::resume_unwind(Box::new(3_u8)));
        assert!(matches!(caught, Err(caught) if caught.message().is_none()));
    }
}
