//! The content of initializers. That of weights is read from the module when it is needed, so that
//! no second copy of them stands in memory.

use std::ops::Deref;
use std::sync::Arc;

use burn::tensor::TensorData;

use crate::graph::data_type::DataType;

/// Reads a parameter.
type Source = Arc<dyn Fn() -> TensorData + Send + Sync>;

/// The content of an initializer: little-endian elements, row by row.
#[derive(Clone)]
pub(crate) struct Data {
    pub dtype: DataType,
    pub dims: Vec<usize>,
    content: Content,
}

#[derive(Clone)]
enum Content {
    Here(Arc<Vec<u8>>),
    /// In a module's parameter, which the closure keeps.
    There(Source),
}

/// Bytes in memory: borrowed, or read for this one use.
pub(crate) enum Bytes<'a> {
    Here(&'a [u8]),
    Read(TensorData),
    Made(Vec<u8>),
}

impl Deref for Bytes<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Here(bytes) => bytes,
            Self::Read(data) => data.as_bytes(),
            Self::Made(bytes) => bytes,
        }
    }
}

impl Data {
    /// Elements of a type in a shape, by their bytes.
    pub fn new(dtype: DataType, dims: Vec<usize>, bytes: Vec<u8>) -> Self {
        let content = Content::Here(Arc::new(bytes));
        Self {
            dtype,
            dims,
            content,
        }
    }

    /// Elements that `read` gives, each time that they are needed.
    pub fn lazy(
        dtype: DataType,
        dims: Vec<usize>,
        read: impl Fn() -> TensorData + Send + Sync + 'static,
    ) -> Self {
        let content = Content::There(Arc::new(read));
        Self {
            dtype,
            dims,
            content,
        }
    }

    /// Recorded data in the file's types; none for quantized data.
    pub fn of(data: &TensorData) -> Option<Self> {
        let dtype = DataType::of(data.dtype())?;
        let bytes = match dtype {
            DataType::Bool => flags(data),
            _ => data.as_bytes().to_vec(),
        };
        Some(Self::new(dtype, data.shape().to_vec(), bytes))
    }

    /// A vector of 64-bit integers.
    pub fn ints(values: &[i64]) -> Self {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes());
        Self::new(DataType::Int64, vec![values.len()], bytes.collect())
    }

    /// A single element without dimensions.
    pub fn scalar(dtype: DataType, value: f64) -> Self {
        Self::new(dtype, Vec::new(), element(dtype, value))
    }

    /// How many bytes there are.
    pub fn len(&self) -> usize {
        match &self.content {
            Content::Here(bytes) => bytes.len(),
            Content::There(_) => self.dims.iter().product::<usize>() * self.dtype.size(),
        }
    }

    /// The bytes. Those of a weight are read anew by every call.
    pub fn bytes(&self) -> Bytes<'_> {
        match &self.content {
            Content::Here(bytes) => Bytes::Here(bytes),
            Content::There(read) => match (read(), self.dtype) {
                (data, DataType::Bool) => Bytes::Made(flags(&data)),
                (data, _) => Bytes::Read(data),
            },
        }
    }

    /// The numbers, where the elements are 64-bit integers.
    pub fn as_ints(&self) -> Option<Vec<i64>> {
        if self.dtype != DataType::Int64 {
            return None;
        }
        let whole = |chunk: &[u8]| chunk.try_into().ok().map(i64::from_le_bytes);
        self.bytes().chunks_exact(8).map(whole).collect()
    }

    /// The number, where there is one element of a float type.
    pub fn as_number(&self) -> Option<f64> {
        if self.dims.iter().product::<usize>() != 1 {
            return None;
        }
        let bytes = self.bytes();
        match self.dtype {
            DataType::Float => Some(f64::from(f32::from_le_bytes((*bytes).try_into().ok()?))),
            DataType::Double => Some(f64::from_le_bytes((*bytes).try_into().ok()?)),
            DataType::Float16 => {
                let half = burn::tensor::f16::from_le_bytes((*bytes).try_into().ok()?);
                Some(half.to_f64())
            }
            DataType::BFloat16 => {
                let half = burn::tensor::bf16::from_le_bytes((*bytes).try_into().ok()?);
                Some(half.to_f64())
            }
            _ => None,
        }
    }

    /// Whether two initializers hold the same elements in the same shape.
    pub fn same(&self, other: &Self) -> bool {
        self.dtype == other.dtype && self.dims == other.dims && *self.bytes() == *other.bytes()
    }
}

impl std::fmt::Debug for Data {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}{:?}", self.dtype, self.dims)
    }
}

fn flags(data: &TensorData) -> Vec<u8> {
    data.iter::<bool>().map(u8::from).collect()
}

/// A number that a 16-bit type holds: an epsilon does not become 0, a mask's value not infinite.
fn kept(value: f64, highest: f64, least: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    value.abs().clamp(least, highest).copysign(value)
}

/// One number in a type's bytes.
fn element(dtype: DataType, value: f64) -> Vec<u8> {
    match dtype {
        DataType::Float => (value as f32).to_le_bytes().to_vec(),
        DataType::Double => value.to_le_bytes().to_vec(),
        DataType::Float16 => {
            let value = kept(value, 65504.0, f64::from(2f32.powi(-24)));
            burn::tensor::f16::from_f64(value).to_le_bytes().to_vec()
        }
        DataType::BFloat16 => {
            let highest = f64::from(burn::tensor::bf16::MAX);
            let value = kept(value, highest, f64::from(f32::MIN_POSITIVE));
            burn::tensor::bf16::from_f64(value).to_le_bytes().to_vec()
        }
        DataType::Bool => vec![u8::from(value != 0.0)],
        DataType::Int8 => (value as i8).to_le_bytes().to_vec(),
        DataType::Uint8 => (value as u8).to_le_bytes().to_vec(),
        DataType::Int16 => (value as i16).to_le_bytes().to_vec(),
        DataType::Uint16 => (value as u16).to_le_bytes().to_vec(),
        DataType::Int32 => (value as i32).to_le_bytes().to_vec(),
        DataType::Uint32 => (value as u32).to_le_bytes().to_vec(),
        DataType::Int64 => (value as i64).to_le_bytes().to_vec(),
        DataType::Uint64 => (value as u64).to_le_bytes().to_vec(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn numbers_of_half_types_are_neither_lost_nor_infinite() {
        for (dtype, largest) in [(DataType::Float16, 65504.0), (DataType::BFloat16, 3.3e38)] {
            let stored = |value| Data::scalar(dtype, value).as_number().unwrap();
            assert!(stored(1e-12) > 0.0 && stored(-1e-60) < 0.0);
            assert!((largest..f64::INFINITY).contains(&stored(1e300)));
            assert_eq!(stored(f64::NEG_INFINITY), f64::NEG_INFINITY);
            assert_eq!(stored(0.0), 0.0);
            assert_eq!(stored(0.5), 0.5);
        }
    }

    #[test]
    fn what_is_read_later_is_the_same() {
        let data = TensorData::from([[1.5f32, 2.0], [3.0, 4.0]]);
        let here = Data::of(&data).unwrap();
        let there = Data::lazy(DataType::Float, vec![2, 2], move || data.clone());
        assert!(here.same(&there) && here.len() == there.len());
    }
}
