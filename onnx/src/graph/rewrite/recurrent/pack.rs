//! The weights of all gates in one tensor, put together when the file is written.

use burn::tensor::{DType, TensorData};

use super::step::Weight;
use crate::graph::build::{Data, DataType, Graph};

/// What stands in the place of one gate's weight: the weight, or zeros.
pub(super) type Part = Option<Weight>;

/// The parts one behind the other, `[1, parts · rows, columns]` or, with no `columns`,
/// `[1, parts · rows]`: matrices transposed, since the operators multiply with rows. None if the
/// parts are stored in several types.
pub(super) fn pack(
    graph: &Graph,
    parts: &[Part],
    rows: usize,
    columns: Option<usize>,
) -> Option<Data> {
    let data = |part: &Part| {
        Some((
            graph.initializers[&part.as_ref()?.stored].clone(),
            part.as_ref()?.turned,
        ))
    };
    let parts: Vec<Option<(Data, bool)>> = parts.iter().map(data).collect();
    let mut types = parts.iter().flatten().map(|(data, _)| data.dtype);
    let dtype = types.next()?;
    if types.any(|other| other != dtype) {
        return None;
    }
    let float = match dtype {
        DataType::Float => DType::F32,
        DataType::Float16 => DType::F16,
        DataType::BFloat16 => DType::BF16,
        _ => return None,
    };
    let size = dtype.size();
    let mut dims = vec![1, parts.len() * rows];
    dims.extend(columns);
    let shape = dims.clone();
    let read = move || {
        let mut bytes = Vec::new();
        for part in &parts {
            match part {
                Some((data, false)) if columns.is_some() => {
                    transposed(&data.bytes(), data.dims[0], data.dims[1], size, &mut bytes);
                }
                Some((data, _)) => bytes.extend_from_slice(&data.bytes()),
                None => bytes.resize(bytes.len() + rows * columns.unwrap_or(1) * size, 0),
            }
        }
        TensorData::from_bytes_vec(bytes, shape.clone(), float)
    };
    Some(Data::lazy(dtype, dims, read))
}

/// Appends a matrix `[rows, columns]` of elements of `size` bytes, column by column.
fn transposed(bytes: &[u8], rows: usize, columns: usize, size: usize, to: &mut Vec<u8>) {
    to.reserve(bytes.len());
    for column in 0..columns {
        for row in 0..rows {
            let from = (row * columns + column) * size;
            to.extend_from_slice(&bytes[from..from + size]);
        }
    }
}
