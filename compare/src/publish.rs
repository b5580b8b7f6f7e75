//! Folders that appear whole: what is made stands beside until it is done.

use std::path::Path;

use crate::error::Error;
use crate::graph;

/// A folder on the file system of `dir`, for what is not finished: in `dir` where that exists,
/// beside it otherwise.
pub(crate) fn beside(dir: &Path) -> Result<tempfile::TempDir, Error> {
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
    tempfile::Builder::new()
        .prefix(".fluxo-export-")
        .tempdir_in(home)
        .map_err(|e| io(home, e))
}

/// Moves every file of `draft` under its name in `dir`, the graphs last: external data, if any,
/// lies there before the graph that names it. Graphs of an earlier export go, so that none is
/// taken for a file of this one.
pub(crate) fn publish(draft: &Path, dir: &Path) -> Result<(), Error> {
    let graphs = dir.join("onnx");
    std::fs::create_dir_all(&graphs).map_err(|e| io(&graphs, e))?;
    let mut files = files_of(draft, "")?;
    files.extend(files_of(draft, "onnx/")?);
    files.sort_by_key(|file| graph::ALL.contains(&file.as_str()));
    for file in &files {
        let to = dir.join(file);
        std::fs::rename(draft.join(file), &to).map_err(|e| io(&to, e))?;
    }
    for old in graph::ALL {
        let path = dir.join(old);
        if path.is_file() && !files.iter().any(|file| file == old) {
            std::fs::remove_file(&path).map_err(|e| io(&path, e))?;
        }
    }
    Ok(())
}

/// The files in the folder `part` of `draft`, by their paths in it.
fn files_of(draft: &Path, part: &str) -> Result<Vec<String>, Error> {
    let folder = draft.join(part);
    let entries = std::fs::read_dir(&folder).map_err(|e| io(&folder, e))?;
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|e| io(&folder, e))?;
        if entry.path().is_file() {
            found.push(format!("{part}{}", entry.file_name().to_string_lossy()));
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
