//! Temporary files and folders, none of which is left behind: not when they are dropped, and not when
//! the process is told to stop.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tempfile::{NamedTempFile, TempDir};

/// The paths that are there.
static LIVE: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

fn live() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    LIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes every temporary file and folder of this process, and ends it with `code`. Nothing appears
/// under its name meanwhile.
pub fn discard_and_exit(code: i32) -> ! {
    // Held to the end: who makes or publishes something waits.
    let live = live();
    // Who is at work in a folder may make one more file in it, or the folder anew, before that.
    for _ in 0..PASSES {
        live.iter().for_each(|path| remove(path));
        std::thread::sleep(PAUSE);
        if !live.iter().any(|path| path.exists()) {
            break;
        }
    }
    std::process::exit(code)
}

/// How often what is there is removed, and how long is waited for it to stay so.
const PASSES: usize = 20;
const PAUSE: Duration = Duration::from_millis(10);

/// What cannot be removed stays.
fn remove(path: &Path) {
    let _ = if path.is_dir() {
        std::fs::remove_dir_all(path)
    } else {
        std::fs::remove_file(path)
    };
}

/// Runs `work`, which [`discard_and_exit`] waits for: several files come under their names, or none.
/// Nothing temporary can be made in it.
pub fn undisturbed<T>(work: impl FnOnce() -> T) -> T {
    let _live = live();
    work()
}

/// A folder that is removed with all that it holds.
#[derive(Debug)]
pub struct Folder {
    folder: Option<TempDir>,
    path: PathBuf,
}

impl Folder {
    /// One where the system keeps such.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new() -> io::Result<Self> {
        Self::inside(&std::env::temp_dir(), ".tmp")
    }

    /// One in `parent` whose name begins with `prefix`.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn inside(parent: &Path, prefix: &str) -> io::Result<Self> {
        let mut live = live();
        let folder = tempfile::Builder::new().prefix(prefix).tempdir_in(parent)?;
        let path = folder.path().to_path_buf();
        live.insert(path.clone());
        Ok(Self {
            folder: Some(folder),
            path,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Removed before it is forgotten.
        drop(self.folder.take());
        live().remove(&self.path);
    }
}

/// A file that is removed, unless it comes under its name.
#[derive(Debug)]
pub struct NewFile {
    file: Option<NamedTempFile>,
    path: PathBuf,
}

impl NewFile {
    /// One in the folder of `target`, with the permissions that a plainly created file would get.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn beside(target: &Path) -> io::Result<Self> {
        let folder = match target.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let mut builder = tempfile::Builder::new();
        builder.prefix(".fluxo-");
        // `tempfile` alone makes it private; the process's umask still applies.
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        let mut live = live();
        let file = builder.tempfile_in(folder)?;
        let path = file.path().to_path_buf();
        live.insert(path.clone());
        Ok(Self {
            file: Some(file),
            path,
        })
    }

    /// The open file.
    pub fn file(&mut self) -> &mut std::fs::File {
        match &mut self.file {
            Some(file) => file.as_file_mut(),
            None => unreachable!("the file is there until it is published"),
        }
    }

    /// Written to the disk, under the name `target`.
    ///
    /// # Errors
    /// When the system refuses; `target` is then as it was.
    pub fn publish(mut self, target: &Path) -> io::Result<()> {
        let Some(file) = self.file.take() else {
            unreachable!("the file is there until it is published")
        };
        file.as_file().sync_all()?;
        let _live = live();
        file.persist(target).map(drop).map_err(|e| e.error)
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        drop(self.file.take());
        live().remove(&self.path);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write;

    use super::*;

    #[test]
    fn nothing_stays_and_nothing_is_remembered() {
        let folder = Folder::new().unwrap();
        let target = folder.path().join("a.txt");
        let mut new = NewFile::beside(&target).unwrap();
        new.file().write_all(b"whole").unwrap();
        let hidden = new.path.clone();
        assert!(live().contains(&hidden) && hidden.exists());
        new.publish(&target).unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"whole");
        drop(NewFile::beside(&target).unwrap());
        let entries = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(entries, 1, "only what was published");
        let path = folder.path().to_path_buf();
        drop(folder);
        assert!(!path.exists() && !live().contains(&path) && !live().contains(&hidden));
    }

    #[test]
    fn what_is_not_published_leaves_the_target_as_it_was() {
        let folder = Folder::new().unwrap();
        let target = folder.path().join("a.txt");
        std::fs::write(&target, "old").unwrap();
        let mut new = NewFile::beside(&target).unwrap();
        new.file().write_all(b"half").unwrap();
        drop(new);
        assert_eq!(std::fs::read(&target).unwrap(), b"old");
        let missing = folder.path().join("none/a.txt");
        assert!(NewFile::beside(&missing).is_err());
    }
}
