//! Panics of the caller's closure as values.

use std::panic::resume_unwind;

use fluxo_support::panics::catch;

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

/// Runs `f`; a panic becomes a value and prints nothing.
pub(crate) fn quietly<T>(f: impl FnOnce() -> T) -> std::result::Result<T, Stop> {
    catch(f).map_err(|caught| {
        let text = caught.message().map(one_line);
        match caught.payload.downcast::<Error>() {
            Ok(error) => Stop::Typed(*error),
            Err(_) => {
                let text = text.unwrap_or_else(|| "a panic without a message".into());
                Stop::Panic(text + &caught.place)
            }
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
