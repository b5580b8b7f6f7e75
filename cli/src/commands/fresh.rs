//! Folders that are made for what may fail.

use std::path::Path;

/// What `make` gives, which writes the folder `dir`. Where it fails, folders that it made and left
/// empty go, those above `dir` among them.
pub fn made<T, E>(dir: &Path, make: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    let above = dir.ancestors();
    let fresh: Vec<_> = above
        .take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists())
        .collect();
    let made = make();
    if made.is_err() {
        // The system removes no folder that holds something, and then none above it either.
        let _ = fresh.into_iter().try_for_each(std::fs::remove_dir);
    }
    made
}
