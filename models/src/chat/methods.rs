//! Methods of Python's strings, lists and dictionaries: those of `minijinja_contrib`, bounded
//! where their result can be far longer than what they are given, and those it lacks.

use minijinja::value::from_args;
use minijinja::{Error, ErrorKind, State, Value};
use minijinja_contrib::pycompat;

/// Bytes that a method may give: as many as a template may write at all.
const LARGEST: usize = 16 << 20;

/// Calls `method` of `value`, which minijinja itself does not know.
pub(super) fn call(
    state: &mut State,
    value: &Value,
    method: &str,
    args: &[Value],
) -> Result<Value, Error> {
    let Some(text) = value.as_str() else {
        return pycompat::unknown_method_callback(state, value, method, args);
    };
    match method {
        "replace" => {
            let (old, new, count): (&str, &str, Option<i64>) = from_args(args)?;
            let limit = count.and_then(|count| usize::try_from(count).ok());
            let found = text.matches(old).take(limit.unwrap_or(usize::MAX)).count();
            bounded(text.len().saturating_add(found.saturating_mul(new.len())))?;
            Ok(Value::from(text.replacen(old, new, found)))
        }
        "join" => {
            let (items,): (&Value,) = from_args(args)?;
            let mut joined = String::new();
            for (index, item) in items.try_iter()?.enumerate() {
                if index > 0 {
                    joined.push_str(text);
                }
                let Some(item) = item.as_str() else {
                    return Err(invalid("join takes strings"));
                };
                joined.push_str(item);
                bounded(joined.len())?;
            }
            Ok(Value::from(joined))
        }
        "format" => {
            // Widths would make any length out of few bytes.
            if text.split('{').skip(1).any(|field| {
                field
                    .split('}')
                    .next()
                    .is_some_and(|field| field.contains(':'))
            }) {
                return Err(invalid(
                    "format with a format specification is not supported",
                ));
            }
            let longest: usize = args.iter().map(|arg| arg.to_string().len()).sum();
            let fields = text.matches('{').count();
            bounded(text.len().saturating_add(fields.saturating_mul(longest)))?;
            pycompat::unknown_method_callback(state, value, method, args)
        }
        "title" => {
            let () = from_args(args)?;
            // Python begins a word after everything that is no letter: `Who'S`.
            let mut within = false;
            let mut titled = String::new();
            for c in text.chars() {
                if within {
                    titled.extend(c.to_lowercase())
                } else {
                    titled.extend(c.to_uppercase())
                }
                within = c.is_alphabetic();
            }
            Ok(Value::from(titled))
        }
        "removeprefix" => {
            let (prefix,): (&str,) = from_args(args)?;
            Ok(Value::from(text.strip_prefix(prefix).unwrap_or(text)))
        }
        "removesuffix" => {
            let (suffix,): (&str,) = from_args(args)?;
            Ok(Value::from(text.strip_suffix(suffix).unwrap_or(text)))
        }
        "partition" => {
            let (separator,): (&str,) = from_args(args)?;
            Ok(match text.split_once(separator) {
                Some((head, tail)) => list([head, separator, tail]),
                None => list([text, "", ""]),
            })
        }
        "rpartition" => {
            let (separator,): (&str,) = from_args(args)?;
            Ok(match text.rsplit_once(separator) {
                Some((head, tail)) => list([head, separator, tail]),
                None => list(["", "", text]),
            })
        }
        "rsplit" => {
            let (separator, limit): (&str, Option<i64>) = from_args(args)?;
            if separator.is_empty() {
                return Err(invalid("rsplit needs a separator"));
            }
            let pieces = limit.and_then(|limit| usize::try_from(limit).ok());
            let pieces = pieces.map_or(usize::MAX, |limit| limit.saturating_add(1));
            let mut parts: Vec<_> = text.rsplitn(pieces, separator).collect();
            parts.reverse();
            Ok(list(parts))
        }
        _ => pycompat::unknown_method_callback(state, value, method, args),
    }
}

fn list<'a>(parts: impl IntoIterator<Item = &'a str>) -> Value {
    parts.into_iter().map(Value::from).collect()
}

fn bounded(bytes: usize) -> Result<(), Error> {
    if bytes > LARGEST {
        Err(invalid(format!("a method gives more than {LARGEST} bytes")))
    } else {
        Ok(())
    }
}

fn invalid(reason: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, reason.into())
}
