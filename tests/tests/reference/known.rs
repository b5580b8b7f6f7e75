//! What a runtime is known not to do.

use super::Outcome;

/// `(folder, runtime, check, part of the message)`: each must go on failing with that message, so
/// that a new version that can do it shows.
const KNOWN: &[(&str, &str, &str, &str)] = &[];

/// The message that is known of a check, if one is.
pub fn known(case: &str, runtime: &str, check: &str) -> Option<&'static str> {
    let found = KNOWN
        .iter()
        .find(|known| (known.0, known.1, known.2) == (case, runtime, check));
    found.map(|known| known.3)
}

/// `outcome`, or with a known message that it failed with that one.
pub fn excused(known: Option<&str>, outcome: Outcome) -> Outcome {
    match (known, outcome) {
        (None, outcome) => outcome,
        (Some(part), Err(message)) if message.contains(part) => Ok(()),
        (Some(part), Err(message)) => Err(format!("known to fail with `{part}`: {message}")),
        (Some(part), Ok(())) => Err(format!(
            "no longer fails with `{part}`: take it off the list"
        )),
    }
}
