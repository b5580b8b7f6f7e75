//! Named tensors, and the safetensors files that hold them.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::{DType, TensorData};
use safetensors::{Dtype, tensor::TensorView};

use crate::checkpoint::store;
use crate::error::{Error, Result};
use crate::files;

/// Tensors by name: what a model takes, and what it gives.
pub type Tensors = BTreeMap<String, TensorData>;

/// Reads every tensor of a safetensors file.
///
/// # Errors
/// When the file cannot be read, is not a safetensors file, or holds a type of element that
/// Burn has not.
pub fn read(path: &Path) -> Result<Tensors> {
    let entries = store::safetensors(path)?.into_iter();
    entries
        .map(|(name, entry)| Ok((name, entry.data()?)))
        .collect()
}

/// Writes `tensors` to a safetensors file: beside it first, then renamed.
///
/// # Errors
/// When the file cannot be written, or a tensor's element type has no name in the format.
pub fn write(path: &Path, tensors: &Tensors) -> Result<()> {
    write_with(path, tensors, None)
}

/// [`write()`] with string metadata in the header.
pub fn write_with(
    path: &Path,
    tensors: &Tensors,
    metadata: Option<std::collections::HashMap<String, String>>,
) -> Result<()> {
    let mut views = Vec::with_capacity(tensors.len());
    for (name, data) in tensors {
        let dtype = dtype_name(data.dtype()).ok_or_else(|| {
            Error::malformed(
                path,
                format!("tensor `{name}`: {:?} cannot be stored", data.dtype()),
            )
        })?;
        let view = TensorView::new(dtype, data.shape().to_vec(), data.as_bytes())
            .map_err(|e| Error::malformed(path, format!("tensor `{name}`: {e}")))?;
        views.push((name.as_str(), view));
    }
    let bytes = safetensors::serialize(views, metadata).map_err(|e| Error::malformed(path, e))?;
    files::write_atomic(path, |file| std::io::Write::write_all(file, &bytes))
}

fn dtype_name(dtype: DType) -> Option<Dtype> {
    Some(match dtype {
        DType::F64 => Dtype::F64,
        DType::F32 => Dtype::F32,
        DType::F16 => Dtype::F16,
        DType::BF16 => Dtype::BF16,
        DType::I64 => Dtype::I64,
        DType::I32 => Dtype::I32,
        DType::U32 => Dtype::U32,
        DType::U8 => Dtype::U8,
        DType::Bool(burn::tensor::BoolStore::Native) => Dtype::BOOL,
        _ => return None,
    })
}
