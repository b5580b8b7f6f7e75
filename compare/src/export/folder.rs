//! Folders that appear whole: what is made stands beside until it is done.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

use fluxo_support::temporary::{Folder, undisturbed};

use crate::error::Error;
use crate::files::ALL;

/// What the names of drafts begin with.
const PREFIX: &str = ".fluxo-export-";

/// A folder for what is not finished, removed when dropped, and locked as long as its process
/// lives.
pub(crate) struct Draft {
    folder: Folder,
    /// `None` where the file system locks no folders: such drafts are never taken for stale.
    _lock: Option<File>,
}

impl Draft {
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// A folder on the file system of `dir`, for what is not finished: in `dir` where that exists,
/// beside it otherwise. Drafts that lie there since their process was stopped go.
pub(crate) fn beside(dir: &Path) -> Result<Draft, Error> {
    let home = match dir.parent() {
        _ if dir.is_dir() => dir,
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    if dir.exists() && !dir.is_dir() {
        return Err(Error::Model {
            path: dir.to_path_buf(),
            reason: "a file of this name is in the way; name a folder".to_string(),
        });
    }
    std::fs::create_dir_all(home).map_err(|e| io(home, e))?;
    sweep(home);
    loop {
        let folder = Folder::inside(home, PREFIX).map_err(|e| io(home, e))?;
        let lock = File::open(folder.path()).and_then(|own| Ok(own.try_lock().map(|()| own)?));
        let taken = matches!(&lock, Err(e) if e.kind() == ErrorKind::WouldBlock);
        // Another process may have swept it before it was locked.
        if !taken && folder.path().is_dir() {
            let _lock = lock.ok();
            return Ok(Draft { folder, _lock });
        }
    }
}

/// Removes the drafts in `home` that no process works on. What cannot be locked or removed stays.
fn sweep(home: &Path) {
    for entry in std::fs::read_dir(home).into_iter().flatten().flatten() {
        let own = entry.file_name().to_string_lossy().starts_with(PREFIX);
        // Of the entry itself: no link is followed.
        if own
            && entry.file_type().is_ok_and(|kind| kind.is_dir())
            && let Ok(draft) = File::open(entry.path())
            && draft.try_lock().is_ok()
        {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// Moves every file of `draft` under its name in `dir`, the graphs last: external data, if any,
/// lies there before the graph that names it. Graphs of an earlier export go, so that none is
/// taken for a file of this one. Who stops the process waits for all of it.
pub(crate) fn publish(draft: &Path, dir: &Path) -> Result<(), Error> {
    undisturbed(|| moved(draft, dir))
}

fn moved(draft: &Path, dir: &Path) -> Result<(), Error> {
    let graphs = dir.join("onnx");
    std::fs::create_dir_all(&graphs).map_err(|e| io(&graphs, e))?;
    let mut files = files_of(draft, "")?;
    files.sort_by_key(|file| ALL.contains(&file.as_str()));
    for file in &files {
        let to = dir.join(file);
        if let Some(folder) = to.parent() {
            std::fs::create_dir_all(folder).map_err(|e| io(folder, e))?;
        }
        std::fs::rename(draft.join(file), &to).map_err(|e| io(&to, e))?;
    }
    for old in ALL {
        let path = dir.join(old);
        if path.is_file() && !files.iter().any(|file| file == old) {
            std::fs::remove_file(&path).map_err(|e| io(&path, e))?;
        }
    }
    Ok(())
}

/// The files in the folder `part` of `draft` and those below, by their paths in it.
fn files_of(draft: &Path, part: &str) -> Result<Vec<String>, Error> {
    let folder = draft.join(part);
    let entries = std::fs::read_dir(&folder).map_err(|e| io(&folder, e))?;
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|e| io(&folder, e))?;
        let name = format!("{part}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            found.extend(files_of(draft, &format!("{name}/"))?)
        } else {
            found.push(name)
        }
    }
    Ok(found)
}

/// What the system said of `path`.
pub(crate) fn io(path: &Path, source: std::io::Error) -> Error {
    Error::Io {
        path: path.to_path_buf(),
        source,
    }
}
