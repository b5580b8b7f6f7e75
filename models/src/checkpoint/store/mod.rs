//! A published checkpoint's weights: one read-only view, whatever the format of its files.
//!
//! Opening reads names, shapes and types only. Values stay in the files, which are mapped a
//! window at a time when an [`Entry`] is read. No file can run anything: a pickle is read by a
//! machine of our own (`pickle.rs`) that knows tensors and nothing else.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

mod archive;
mod bin;
mod calls;
mod entry;
mod index;
mod objects;
mod pickle;
mod single;

#[cfg(test)]
mod broken;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests;

pub use entry::Entry;

/// Names of the files that hold a checkpoint's weights, the one that is preferred first.
pub const FILES: [&str; 4] = [
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
];

/// The tensors of a checkpoint, by name.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    entries: BTreeMap<String, Entry>,
}

impl Store {
    /// Opens the weights in folder `dir`: the first of [`FILES`] that is there, and with an
    /// index the files that it names.
    ///
    /// # Errors
    /// When there are none, or a file cannot be read, is not whole, holds code, or does not
    /// agree with its index.
    pub fn open(dir: &Path) -> Result<Self> {
        for (name, read) in FILES.into_iter().zip(READERS) {
            let path = dir.join(name);
            match std::fs::metadata(&path) {
                Ok(_) => {
                    let entries = read(&path)?;
                    return Ok(Self { path, entries });
                }
                Err(e) if e.kind() == ErrorKind::NotFound => {}
                Err(e) => return Err(Error::io(&path, e)),
            }
        }
        Err(Error::malformed(
            dir,
            format!("no weights here; expected one of {}", FILES.join(", ")),
        ))
    }

    /// The file or index that the weights were opened from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The tensors' names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// The tensor called `name`.
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.get(name)
    }

    /// Whether `dir` holds weights in any of the forms of [`FILES`].
    pub fn exists(dir: &Path) -> bool {
        FILES.into_iter().any(|name| dir.join(name).is_file())
    }
}

/// Tensors of one file, by name.
type Entries = BTreeMap<String, Entry>;

/// The tensors of the safetensors file at `path`, by name.
///
/// # Errors
/// When it cannot be read, is not whole, or holds a type of element that Burn has not.
pub(crate) fn safetensors(path: &Path) -> Result<BTreeMap<String, Entry>> {
    single::open(path)
}

/// The reader of each of [`FILES`].
const READERS: [fn(&Path) -> Result<Entries>; 4] = [
    single::open,
    |path| index::open(path, single::open),
    bin::open,
    |path| index::open(path, bin::open),
];

/// A name out of a file as a message shows it.
fn shown(name: &str) -> String {
    format!("`{}`", one_line(name))
}

/// A text out of a file as a message shows it: on one line, and short.
fn one_line(text: &str) -> String {
    let mut line: String = text
        .chars()
        .take(200)
        .flat_map(char::escape_debug)
        .collect();
    if text.chars().nth(200).is_some() {
        line.push('…');
    }
    line
}
