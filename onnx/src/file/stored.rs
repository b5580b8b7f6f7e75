//! The numbers of a file's weights.

use std::io::{Error, ErrorKind, Result};
use std::path::{Component, Path};

use burn::tensor::{DType, TensorData};
use prost::Message;

use super::graph_file::GraphFile;
use super::proto::TensorProto;
use super::streamed::copy;

/// The weights of the ONNX file at `path` that have fractions and whose names `wanted` takes, in
/// float32.
///
/// # Errors
/// When the file cannot be read, or is not one.
pub fn numbers(path: &Path, wanted: impl Fn(&str) -> bool) -> Result<Vec<(String, TensorData)>> {
    let file = GraphFile::read(path).map_err(|e| Error::new(ErrorKind::InvalidData, e))?;
    file.numbers(wanted)
}

impl GraphFile {
    fn numbers(&self, wanted: impl Fn(&str) -> bool) -> Result<Vec<(String, TensorData)>> {
        let mut file = std::fs::File::open(&self.path)?;
        let mut found = Vec::new();
        for (name, ((from, to), _)) in &self.initializers {
            if !wanted(name) || !self.float_weight(name) {
                continue;
            }
            let mut field = Vec::new();
            copy(&mut file, *from, *to, &mut field)?;
            // The field's own key and length stand before what it holds.
            let mut body = field.as_slice();
            let wrong = |e: prost::DecodeError| Error::new(ErrorKind::InvalidData, e);
            prost::encoding::decode_key(&mut body).map_err(wrong)?;
            prost::encoding::decode_varint(&mut body).map_err(wrong)?;
            let stored = TensorProto::decode(body).map_err(wrong)?;
            found.push((name.clone(), self.values(name, stored)?));
        }
        Ok(found)
    }

    fn values(&self, name: &str, stored: TensorProto) -> Result<TensorData> {
        let sizes = stored.dims.iter();
        let dims: Vec<usize> = sizes
            .map(|dim| usize::try_from(*dim).unwrap_or(0))
            .collect();
        let count = dims
            .iter()
            .fold(1usize, |count, dim| count.saturating_mul(*dim));
        let dtype = self.weight(name).unwrap_or(DType::F32);
        let wrong = || Error::new(ErrorKind::InvalidData, format!("`{name}` is cut short"));
        let said = |key| {
            let pair = stored.external_data.iter().find(|pair| pair.key == key);
            pair.map(|pair| pair.value.as_str())
        };
        let raw = stored.raw_data.as_ref().is_some_and(|raw| !raw.is_empty());
        let elsewhere = raw || !stored.external_data.is_empty();
        if stored.float_data.len() == count && !elsewhere {
            return Ok(TensorData::new(stored.float_data, dims));
        }
        let length = count.saturating_mul(dtype.size());
        let raw = match said("location") {
            None => stored.raw_data.unwrap_or_default(),
            Some(beside) => {
                let inside = |part| matches!(part, Component::Normal(_));
                if !Path::new(beside).components().all(inside) {
                    return Err(wrong());
                }
                let number = |key| said(key).and_then(|text| text.parse::<u64>().ok());
                let from = number("offset").unwrap_or(0);
                let mut file = std::fs::File::open(self.path.with_file_name(beside))?;
                let mut raw = Vec::new();
                copy(
                    &mut file,
                    from,
                    from.saturating_add(length as u64),
                    &mut raw,
                )?;
                raw
            }
        };
        if raw.len() == length {
            Ok(TensorData::from_bytes_vec(raw, dims, dtype).convert::<f32>())
        } else {
            Err(wrong())
        }
    }
}
