//! Keys of `generation_config.json` and their values.

use std::path::Path;

use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// A key of a file and its value, where it has one.
pub(super) struct Entry<'a> {
    path: &'a Path,
    key: &'a str,
    pub value: Option<&'a Value>,
}

impl<'a> Entry<'a> {
    pub fn of(path: &'a Path, map: &'a Map<String, Value>, key: &'a str) -> Self {
        let value = map.get(key).filter(|value| !value.is_null());
        Self { path, key, value }
    }

    /// One token.
    pub fn token(&self) -> Result<Option<u32>> {
        match self.value {
            Some(value) => self.number(value),
            None => Ok(None),
        }
    }

    /// One token or several.
    pub fn tokens(&self) -> Result<Vec<u32>> {
        match self.value {
            Some(value) => self.list(value),
            None => Ok(Vec::new()),
        }
    }

    /// Lists of tokens.
    pub fn lists(&self) -> Result<Vec<Vec<u32>>> {
        match self.value {
            Some(Value::Array(lists)) => lists.iter().map(|list| self.list(list)).collect(),
            Some(_) => Err(self.wrong("a list of lists of tokens")),
            None => Ok(Vec::new()),
        }
    }

    /// A number.
    pub fn float(&self) -> Result<Option<f64>> {
        let number = |value: &Value| value.as_f64().ok_or_else(|| self.wrong("a number"));
        self.value.map(number).transpose()
    }

    /// A whole number; `None` for one below 0.
    pub fn count(&self) -> Result<Option<usize>> {
        let Some(value) = self.value else {
            return Ok(None);
        };
        match value.as_i64() {
            Some(number) if number < 0 => Ok(None),
            Some(number) => Ok(usize::try_from(number).ok()),
            None => Err(self.wrong("a whole number")),
        }
    }

    /// A truth value.
    pub fn flag(&self) -> Result<Option<bool>> {
        let flag = |value: &Value| {
            let flag = value.as_bool();
            flag.ok_or_else(|| self.wrong("true or false"))
        };
        self.value.map(flag).transpose()
    }

    /// One string or several.
    pub fn texts(&self) -> Result<Vec<String>> {
        let text = |value: &Value| {
            let text = value.as_str().map(str::to_string);
            text.ok_or_else(|| self.wrong("strings"))
        };
        match self.value {
            Some(Value::Array(list)) => list.iter().map(text).collect(),
            Some(one) => Ok(vec![text(one)?]),
            None => Ok(Vec::new()),
        }
    }

    fn list(&self, value: &Value) -> Result<Vec<u32>> {
        let numbers = match value {
            Value::Array(list) => list.as_slice(),
            one => std::slice::from_ref(one),
        };
        let tokens = numbers.iter().map(|value| self.number(value).transpose());
        tokens.flatten().collect()
    }

    /// A token; `None` for a number below 0, which some files have for none.
    pub fn number(&self, value: &Value) -> Result<Option<u32>> {
        match value.as_i64() {
            Some(number) if number < 0 => Ok(None),
            number => match number.map(u32::try_from) {
                Some(Ok(token)) => Ok(Some(token)),
                _ => Err(self.wrong("token numbers")),
            },
        }
    }

    /// The error that the value is not `what`.
    pub fn wrong(&self, what: &str) -> Error {
        Error::malformed(self.path, format!("`{}` must hold {what}", self.key))
    }
}
