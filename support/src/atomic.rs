//! Files written whole or not at all.

use std::fs::File;
use std::io;
use std::path::Path;

use crate::temporary::NewFile;

/// Writes the file at `path` through `fill`: beside it first, synced, then renamed.
///
/// # Errors
/// When the folder cannot be written or the disk is full; `path` is then as it was.
pub fn write(path: &Path, fill: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let mut new = NewFile::beside(path)?;
    fill(new.file())?;
    new.publish(path)
}
