//! The numbers of a file's weights.

use std::io::{Error, ErrorKind, Result};
use std::path::{Component, Path};

use burn::tensor::{DType, TensorData};
use prost::Message;

use super::graph_file::GraphFile;
use super::streamed::copy;

#[derive(Clone, PartialEq, Message)]
struct Stored {
    #[prost(int64, repeated, tag = "1")]
    dims: Vec<i64>,
    #[prost(float, repeated, tag = "4")]
    floats: Vec<f32>,
    #[prost(bytes = "vec", tag = "9")]
    raw: Vec<u8>,
    #[prost(message, repeated, tag = "13")]
    outside: Vec<Pair>,
}

#[derive(Clone, PartialEq, Message)]
struct Pair {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, tag = "2")]
    value: String,
}

impl Stored {
    fn said(&self, key: &str) -> Option<&str> {
        let pair = self.outside.iter().find(|pair| pair.key == key);
        pair.map(|pair| pair.value.as_str())
    }
}

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
            let stored = Stored::decode(body).map_err(wrong)?;
            found.push((name.clone(), self.values(name, stored)?));
        }
        Ok(found)
    }

    fn values(&self, name: &str, stored: Stored) -> Result<TensorData> {
        let dims: Vec<usize> = stored.dims.iter().map(|dim| *dim as usize).collect();
        let count: usize = dims.iter().product();
        let dtype = self.weight(name).unwrap_or(DType::F32);
        let wrong = || Error::new(ErrorKind::InvalidData, format!("`{name}` is cut short"));
        if stored.floats.len() == count && stored.raw.is_empty() && stored.outside.is_empty() {
            return Ok(TensorData::new(stored.floats, dims));
        }
        let length = count * dtype.size();
        let raw = match stored.said("location") {
            None => stored.raw,
            Some(beside) => {
                let inside = |part| matches!(part, Component::Normal(_));
                if !Path::new(beside).components().all(inside) {
                    return Err(wrong());
                }
                let number = |key| stored.said(key).and_then(|text| text.parse::<u64>().ok());
                let from = number("offset").unwrap_or(0);
                let mut file = std::fs::File::open(self.path.with_file_name(beside))?;
                let mut raw = Vec::new();
                copy(&mut file, from, from + length as u64, &mut raw)?;
                raw
            }
        };
        match raw.len() == length {
            true => Ok(TensorData::from_bytes_vec(raw, dims, dtype).convert::<f32>()),
            false => Err(wrong()),
        }
    }
}
