//! A safetensors file: a JSON header, then the tensors' bytes without gaps.

use std::path::Path;
use std::sync::Arc;

use burn::tensor::{BoolStore, DType};
use safetensors::Dtype;
use safetensors::tensor::Metadata;

use super::entry::{Entry, Source};
use super::{Entries, one_line, shown};
use crate::error::{Error, Result};
use crate::files;

/// Bytes that say how long the header is.
const PREFIX: u64 = 8;
/// The longest header that the format allows, in bytes.
const LONGEST_HEADER: u64 = 100_000_000;

/// The tensors of the file at `path`.
///
/// # Errors
/// When the file is not whole, or holds a type of element that Burn has not.
pub(super) fn open(path: &Path) -> Result<Entries> {
    let source = Arc::new(Source::open(path)?);
    let malformed = |reason: String| Error::malformed(path, reason);
    let (data, metadata) = header(&source)?;
    let (stated, there) = (metadata.data_len() as u64, source.length - data);
    if stated != there {
        return Err(malformed(format!(
            "not a whole safetensors file: its header speaks of {stated} bytes after it, and \
             there are {there}; download it again"
        )));
    }
    let mut entries = Entries::new();
    for (name, info) in metadata.tensors() {
        let dtype = dtype(info.dtype).ok_or_else(|| {
            malformed(format!(
                "tensor {} holds {:?}, which is not supported; convert the checkpoint to 16-bit \
                 floats",
                shown(&name),
                info.dtype
            ))
        })?;
        let (start, end) = info.data_offsets;
        let place = (data + start as u64, (end - start) as u64);
        let entry = Entry::new(&source, &name, dtype, info.shape.clone(), None, place);
        entries.insert(name, entry.map_err(malformed)?);
    }
    Ok(entries)
}

/// Where the tensors' bytes start, and what the header says of them, checked against gaps and
/// overlaps.
///
/// `SafeTensors::read_metadata` is not used: with sizes near 2^64 its sum of the file's length
/// wraps around.
fn header(source: &Source) -> Result<(u64, Metadata)> {
    let path = &source.path;
    let short = || Error::malformed(path, "not a safetensors file: it ends within its header");
    if source.length < PREFIX {
        return Err(short());
    }
    let map = files::map_part(&source.file, path, 0, PREFIX as usize)?;
    let length = map.first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
    let length = length.ok_or_else(short)?;
    if length > LONGEST_HEADER {
        return Err(Error::malformed(
            path,
            format!("not a safetensors file: it gives its header {length} bytes"),
        ));
    }
    if length > source.length - PREFIX {
        return Err(short());
    }
    let map = files::map_part(&source.file, path, 0, (PREFIX + length) as usize)?;
    let metadata = serde_json::from_slice(&map[PREFIX as usize..]).map_err(|e| {
        let reason = one_line(&e.to_string());
        Error::malformed(path, format!("not a safetensors file: {reason}"))
    })?;
    Ok((PREFIX + length, metadata))
}

fn dtype(stored: Dtype) -> Option<DType> {
    Some(match stored {
        Dtype::F64 => DType::F64,
        Dtype::F32 => DType::F32,
        Dtype::F16 => DType::F16,
        Dtype::BF16 => DType::BF16,
        Dtype::I64 => DType::I64,
        Dtype::I32 => DType::I32,
        Dtype::I16 => DType::I16,
        Dtype::I8 => DType::I8,
        Dtype::U64 => DType::U64,
        Dtype::U32 => DType::U32,
        Dtype::U16 => DType::U16,
        Dtype::U8 => DType::U8,
        Dtype::BOOL => DType::Bool(BoolStore::Native),
        _ => return None,
    })
}
