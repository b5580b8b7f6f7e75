//! The filter `tojson` as transformers has it: Python's `json.dumps`, without HTML escapes.

use std::fmt::Write;

use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Error, ErrorKind, Value};

/// Bytes that one value may become: as many as a template may write at all.
const LARGEST: usize = 16 << 20;

/// `value` as JSON.
pub(super) fn tojson(value: &Value, options: Kwargs) -> Result<String, Error> {
    let indent: Option<Value> = options.get("indent")?;
    let indent = match indent.filter(|value| !value.is_none()) {
        Some(indent) => Some(usize::try_from(indent)?.min(LARGEST)),
        None => None,
    };
    let separators: Option<Vec<String>> = options.get("separators")?;
    let (item, key) = match separators.as_deref() {
        Some([item, key]) => (item.clone(), key.clone()),
        Some(_) => return Err(invalid("tojson takes two separators")),
        // Python's default: the line break stands for the blank.
        None if indent.is_some() => (",".into(), ": ".into()),
        None => (", ".into(), ": ".into()),
    };
    let mut writer = Writer {
        out: String::new(),
        indent,
        item,
        key,
        ascii: options.get::<Option<bool>>("ensure_ascii")? == Some(true),
        sort: options.get::<Option<bool>>("sort_keys")? == Some(true),
    };
    options.assert_all_used()?;
    writer.value(value, 0)?;
    Ok(writer.out)
}

struct Writer {
    out: String,
    indent: Option<usize>,
    item: String,
    key: String,
    ascii: bool,
    sort: bool,
}

impl Writer {
    fn value(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        match value.kind() {
            ValueKind::None => self.push("null"),
            ValueKind::Bool if value.is_true() => self.push("true"),
            ValueKind::Bool => self.push("false"),
            ValueKind::Number => self.push(&value.to_string()),
            ValueKind::String => self.string(value.as_str().unwrap_or_default()),
            ValueKind::Seq | ValueKind::Iterable => {
                self.push("[")?;
                let mut items = 0;
                for item in value.try_iter()? {
                    self.begin(items, depth + 1)?;
                    self.value(&item, depth + 1)?;
                    items += 1;
                }
                self.end(items, depth)?;
                self.push("]")
            }
            ValueKind::Map => {
                let mut keys: Vec<Value> = value.try_iter()?.collect();
                if self.sort {
                    keys.sort();
                }
                self.push("{")?;
                for (items, name) in keys.iter().enumerate() {
                    self.begin(items, depth + 1)?;
                    match name.kind() {
                        ValueKind::String | ValueKind::Number => self.string(&name.to_string())?,
                        _ => return Err(invalid("tojson takes maps with strings as keys")),
                    }
                    self.push_key()?;
                    self.value(&value.get_item(name)?, depth + 1)?;
                }
                self.end(keys.len(), depth)?;
                self.push("}")
            }
            kind => Err(invalid(format!("a value of kind {kind} is not JSON"))),
        }
    }

    /// What stands before an item: the separator of the one before, and a new line.
    fn begin(&mut self, items: usize, depth: usize) -> Result<(), Error> {
        if items > 0 {
            let item = std::mem::take(&mut self.item);
            self.push(&item)?;
            self.item = item;
        }
        self.line(depth)
    }

    fn end(&mut self, items: usize, depth: usize) -> Result<(), Error> {
        match items {
            0 => Ok(()),
            _ => self.line(depth),
        }
    }

    fn line(&mut self, depth: usize) -> Result<(), Error> {
        let Some(indent) = self.indent else {
            return Ok(());
        };
        let blanks = indent.saturating_mul(depth);
        self.room(blanks)?;
        self.push("\n")?;
        self.push(&" ".repeat(blanks))
    }

    fn push_key(&mut self) -> Result<(), Error> {
        let key = std::mem::take(&mut self.key);
        self.push(&key)?;
        self.key = key;
        Ok(())
    }

    fn string(&mut self, text: &str) -> Result<(), Error> {
        let quoted = serde_json::to_string(text).map_err(|e| invalid(e.to_string()))?;
        if !self.ascii {
            return self.push(&quoted);
        }
        let mut escaped = String::new();
        for c in quoted.chars() {
            if c.is_ascii() {
                escaped.push(c);
                continue;
            }
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a string does not fail.
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        }
        self.push(&escaped)
    }

    fn push(&mut self, text: &str) -> Result<(), Error> {
        self.room(text.len())?;
        self.out.push_str(text);
        Ok(())
    }

    fn room(&self, bytes: usize) -> Result<(), Error> {
        if self.out.len().saturating_add(bytes) > LARGEST {
            Err(invalid(format!("tojson writes more than {LARGEST} bytes")))
        } else {
            Ok(())
        }
    }
}

fn invalid(reason: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, reason.into())
}
