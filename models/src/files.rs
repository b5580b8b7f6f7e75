//! Files read without a copy and written whole or not at all.

use std::fs::File;
use std::io;
use std::path::Path;

use fluxo_support::atomic;

use crate::error::{Error, Result};

/// Writes the file at `path` through `fill`: beside it first, synced, then renamed.
///
/// # Errors
/// When the folder cannot be written or the disk is full; `path` is then as it was.
pub fn write_atomic(path: &Path, fill: impl FnOnce(&mut File) -> io::Result<()>) -> Result<()> {
    atomic::write(path, fill).map_err(|e| Error::io(path, e))
}

/// Makes the folder `dir` and its parents.
///
/// # Errors
/// When it cannot be made.
pub fn make_folder(dir: &Path) -> Result<()> {
    std::fs::create_dir_all(dir).map_err(|e| Error::io(dir, e))
}

/// Opens the file at `path`, and says how many bytes it has.
///
/// # Errors
/// When it cannot be opened, is empty or is no file: a pipe would wait for its other end.
pub(crate) fn open(path: &Path) -> Result<(File, u64)> {
    if !path.metadata().map_err(|e| Error::io(path, e))?.is_file() {
        return Err(Error::malformed(path, "not a file"));
    }
    let file = File::open(path).map_err(|e| Error::io(path, e))?;
    let length = file.metadata().map_err(|e| Error::io(path, e))?.len();
    if length == 0 {
        return Err(Error::malformed(path, "the file is empty"));
    }
    Ok((file, length))
}

/// Maps `length` bytes of `file`, which was opened at `path`, from byte `offset` on.
///
/// # Errors
/// When the file has not so many, having become shorter since it was looked at.
#[allow(unsafe_code)]
pub(crate) fn map_part(
    file: &File,
    path: &Path,
    offset: u64,
    length: usize,
) -> Result<memmap2::Mmap> {
    let whole = file.metadata().map_err(|e| Error::io(path, e))?.len();
    if offset
        .checked_add(length as u64)
        .is_none_or(|end| end > whole)
    {
        return Err(Error::malformed(
            path,
            "the file became shorter while it was read",
        ));
    }
    let mut options = memmap2::MmapOptions::new();
    // SAFETY: as in `map`.
    unsafe { options.offset(offset).len(length).map(file) }.map_err(|e| Error::io(path, e))
}
