//! `pytorch_model.bin`: what `torch.save` writes of a state dict.
//!
//! Since PyTorch 1.6 that is a zip archive: `ROOT/data.pkl` is a pickle of the tensors, and each
//! `ROOT/data/KEY` the elements that some of them share. Before, it was five pickles in a row (a
//! number, the format's version, the machine, the tensors, the keys of their storages) and then
//! the storages, each after the number of its elements.

use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use super::archive::{Archive, Place, at};
use super::entry::{Entry, Source};
use super::objects::{Object, Objects, Storage};
use super::{Entries, pickle, shown};
use crate::error::{Error, Result};
use crate::files;

/// The number that opens a file of pickles.
const MAGIC: i128 = 0x1950_a86a_20f9_469c_fc6c;
/// The version of that format; there is no other.
const VERSION: i128 = 1001;

/// Why a file is refused.
type Reason<T> = std::result::Result<T, String>;

/// The tensors of the file at `path`.
///
/// # Errors
/// When the file is not whole, holds code or tensors of a kind that is not read, or none at all.
pub(super) fn open(path: &Path) -> Result<Entries> {
    let source = Arc::new(Source::open(path)?);
    let map = files::map_part(&source.file, path, 0, source.length as usize)?;
    read(&source, &map).map_err(|reason| Error::malformed(path, reason))
}

fn read(source: &Arc<Source>, file: &[u8]) -> Reason<Entries> {
    if at(file, 257, 5) == Some(b"ustar") {
        return Err("a tar archive, as PyTorch wrote before 0.1.10; save it as safetensors".into());
    }
    let archive = Archive::starts(file).then(|| Archive::read(file));
    let (objects, places) = match archive.transpose()? {
        Some(archive) => zipped(&archive, file)?,
        None => pickles(file)?,
    };
    let mut entries = Entries::new();
    for (name, tensor) in objects.state_dict()? {
        let storage = &tensor.storage;
        let size = storage.dtype.size() as u64;
        let place = places.get(&storage.key).and_then(|&(start, length)| {
            // The tensor may use what its storage has from the tensor's offset on.
            let before = storage
                .skipped
                .checked_add(tensor.offset)?
                .checked_mul(size)?;
            let within = storage.count.checked_mul(size)?.min(length);
            Some((start.checked_add(before)?, within.checked_sub(before)?))
        });
        let place = place.ok_or_else(|| {
            format!(
                "tensor {} has no values; download the file again",
                shown(&name)
            )
        })?;
        let (shape, strides) = (tensor.shape.clone(), tensor.strides.clone());
        let entry = Entry::new(source, &name, storage.dtype, shape, Some(strides), place)?;
        if entries.insert(name.to_string(), entry).is_some() {
            return Err(format!("holds two tensors called {}", shown(&name)));
        }
    }
    Ok(entries)
}

/// Where each storage's elements are.
type Places = HashMap<Rc<str>, Place>;

fn zipped(archive: &Archive, file: &[u8]) -> Reason<(Objects, Places)> {
    let root = archive
        .root()
        .ok_or("a zip archive without one `data.pkl`, so not one that torch.save wrote")?;
    let member = |name: &str| {
        let place = archive.find(&format!("{root}{name}"))?;
        Ok::<_, String>(place.and_then(|(start, length)| at(file, start, length)))
    };
    if member("byteorder")?.is_some_and(|order| order != b"little") {
        return Err(big_endian());
    }
    let (objects, _) = pickle::read(member("data.pkl")?.unwrap_or_default())?;
    let mut places = Places::new();
    for storage in storages(&objects) {
        if let Some(place) = archive.find(&format!("{root}data/{}", storage.key))? {
            places.insert(storage.key.clone(), place);
        }
    }
    Ok((objects, places))
}

fn pickles(file: &[u8]) -> Reason<(Objects, Places)> {
    let mut rest = file;
    let mut next = || {
        let (objects, length) = pickle::read(rest)?;
        rest = &rest[length..];
        Ok::<_, String>(objects)
    };
    let is = |objects: &Objects, number| matches!(objects.all.get(objects.root), Some(Object::Int(n)) if *n == number);
    if !is(&next()?, MAGIC) || !is(&next()?, VERSION) {
        return Err("not a file that torch.save wrote; save it as safetensors".into());
    }
    let machine = next()?;
    let order = machine.value(machine.root, "little_endian");
    if matches!(order.map(|id| &machine.all[id]), Some(Object::Bool(false))) {
        return Err(big_endian());
    }
    let objects = next()?;
    let keys = next()?;
    let Some(Object::List(order)) = keys.all.get(keys.root) else {
        return Err(pickle::broken());
    };
    let known: HashMap<_, _> = storages(&objects).map(|s| (s.key.clone(), s)).collect();
    let mut places = Places::new();
    let mut start = (file.len() - rest.len()) as u64;
    for key in order {
        let storage = match keys.all.get(*key) {
            Some(Object::Text(key)) => known.get(key),
            _ => None,
        };
        let storage = storage.ok_or_else(pickle::broken)?;
        let stated = at(file, start, 8).and_then(|b| b.first_chunk());
        let length = storage.count.checked_mul(storage.dtype.size() as u64);
        let end = length.and_then(|length| start.checked_add(8)?.checked_add(length));
        let (Some(stated), Some(length), Some(end)) = (stated, length, end) else {
            return Err(pickle::broken());
        };
        if u64::from_le_bytes(*stated) != storage.count || end > file.len() as u64 {
            return Err(format!(
                "storage {} is not whole; download the file again",
                shown(&storage.key)
            ));
        }
        places.insert(storage.key.clone(), (start + 8, length));
        start = end;
    }
    Ok((objects, places))
}

fn storages(objects: &Objects) -> impl Iterator<Item = &Rc<Storage>> {
    objects.all.iter().filter_map(|object| match object {
        Object::Storage(storage) => Some(storage),
        _ => None,
    })
}

fn big_endian() -> String {
    "written on a big-endian machine, which is not read; save it as safetensors".into()
}
