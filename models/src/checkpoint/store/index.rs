//! Weights in several files: an index says which tensor stands in which of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Component, Path};

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use super::{Entries, one_line, shown};
use crate::checkpoint::is_constant;
use crate::error::{Error, Result};
use crate::files;

/// The largest index read, in bytes; those of the largest published models have a few MiB.
const LARGEST: u64 = 64 << 20;
/// The most files that one index may name; each stays open.
const MOST_FILES: usize = 512;

#[derive(serde::Deserialize)]
struct Index {
    weight_map: Pairs,
}

/// A JSON object's entries in their order, double ones too.
struct Pairs(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Pairs;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object of file names by tensor name")
            }
            fn visit_map<A: MapAccess<'de>>(
                self,
                mut map: A,
            ) -> std::result::Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

/// The tensors of all files that the index at `path` names, each read with `read`.
///
/// # Errors
/// When a file is missing or not whole, its name leads out of the folder, a tensor is not where
/// the index says, or two files hold one of the same name.
pub(super) fn open(path: &Path, read: fn(&Path) -> Result<Entries>) -> Result<Entries> {
    let malformed = |reason: String| Error::malformed(path, reason);
    let mut expected: BTreeMap<String, String> = BTreeMap::new();
    let mut names = BTreeSet::new();
    for (tensor, file) in weight_map(path)?.0 {
        let shard = shown(&file);
        names.insert(file.clone());
        if expected.insert(tensor.clone(), file).is_some() {
            return Err(malformed(format!(
                "tensor {} is listed twice, the second time in {shard}",
                shown(&tensor)
            )));
        }
    }
    if names.len() > MOST_FILES {
        return Err(malformed(format!(
            "names {} files, and at most {MOST_FILES} are read",
            names.len()
        )));
    }
    let mut entries = Entries::new();
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for file in names {
        let shard = inside(path, &file)?;
        for (tensor, entry) in read(&shard)? {
            if let Some(other) = found.insert(tensor.clone(), file.clone()) {
                return Err(malformed(format!(
                    "tensor {} stands both in {} and in {}; remove one of them",
                    shown(&tensor),
                    shown(&other),
                    shown(&file)
                )));
            }
            entries.insert(tensor, entry);
        }
    }
    for (tensor, file) in &expected {
        // Newer programs leave constants out of the files, and older indices name them.
        let left_out = !found.contains_key(tensor) && is_constant(tensor);
        if found.get(tensor) != Some(file) && !left_out {
            return Err(malformed(format!(
                "tensor {} is not in {}, where the index has it; download both again",
                shown(tensor),
                shown(file)
            )));
        }
    }
    Ok(entries)
}

fn weight_map(path: &Path) -> Result<Pairs> {
    let (file, length) = files::open(path)?;
    if length > LARGEST {
        return Err(Error::malformed(
            path,
            format!("has {length} bytes, and an index at most {LARGEST}"),
        ));
    }
    let mut text = Vec::new();
    std::io::Read::read_to_end(&mut std::io::Read::take(file, LARGEST), &mut text)
        .map_err(|e| Error::io(path, e))?;
    let index: Index = serde_json::from_slice(&text).map_err(|e| {
        let reason = one_line(&e.to_string());
        Error::malformed(path, format!("not an index of weights: {reason}"))
    })?;
    Ok(index.weight_map)
}

/// The path of the file called `name` beside the index at `path`. A link may lead to another
/// file of the folder, or to where the cache of the Hugging Face hub keeps a snapshot's files
/// (`snapshots/REVISION/NAME` is a link to `blobs/HASH`).
fn inside(path: &Path, name: &str) -> Result<std::path::PathBuf> {
    let malformed = |reason: &str| {
        let reason = format!("the file {} {reason}", shown(name));
        Error::malformed(path, reason)
    };
    let plain = {
        let mut parts = Path::new(name).components();
        matches!(parts.next(), Some(Component::Normal(only)) if only == name)
            && parts.next().is_none()
            && !name.contains(['/', '\\', ':', '\0'])
    };
    if !plain {
        return Err(malformed(
            "is not in the index's folder: its shards escape their folder; name files beside it",
        ));
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let shard = folder.join(name);
    let (Ok(real), Ok(home)) = (shard.canonicalize(), folder.canonicalize()) else {
        return Err(malformed("is missing; download it into the index's folder"));
    };
    let in_cache = home
        .ancestors()
        .find(|a| a.file_name().is_some_and(|name| name == "snapshots"))
        .and_then(Path::parent)
        .is_some_and(|cache| real.starts_with(cache.join("blobs")));
    if !real.starts_with(&home) && !in_cache {
        return Err(malformed(
            "is a link out of the index's folder: its shards escape their folder; put the file there",
        ));
    }
    Ok(shard)
}
