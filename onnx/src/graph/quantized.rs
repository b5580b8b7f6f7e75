//! Quantized parameters: 8-bit integers, and the scales that they count in.

use burn::tensor::quantization::{
    BlockLayout, QuantMode, QuantScheme, QuantStore, QuantValue, QuantizedBytes,
};
use burn::tensor::{Shape, TensorData};

use crate::graph::build::DataType;
use crate::graph::data::Data;

/// How a quantized parameter is stored.
pub(crate) struct Quantized {
    /// `[blocks, elements of a block]`; all of a parameter is one block where it has one scale.
    pub values: Data,
    /// `[blocks]`
    pub scales: Data,
}

/// Takes a quantized parameter apart, `read` anew whenever its integers are written.
///
/// # Errors
/// With the reason, for a scheme that has no integers or no rows of equal scale.
pub(crate) fn quantized(
    scheme: &QuantScheme,
    dims: &[usize],
    read: impl Fn() -> TensorData + Send + Sync + 'static,
) -> Result<Quantized, String> {
    let integers = match scheme.value {
        QuantValue::Q8F | QuantValue::Q8S => true,
        QuantValue::Q4F | QuantValue::Q4S | QuantValue::Q2F | QuantValue::Q2S => true,
        QuantValue::E5M2 | QuantValue::E4M3 | QuantValue::E2M1 => false,
    };
    let known = matches!(scheme.store, QuantStore::Native | QuantStore::PackedU32(0));
    if !integers || !known || scheme.mode != QuantMode::Symmetric {
        return Err("only whole numbers with one scale, or one a block, are written".into());
    }
    let shape = Shape::from(dims.to_vec());
    let rows = match scheme.block_size() {
        None => vec![1, shape.num_elements()],
        Some(block) => {
            let layout = BlockLayout::new(&shape, &block);
            let extents = block.to_dim_vec(dims.len());
            let lead = extents.iter().rev().skip(1);
            if !layout.divides() || lead.into_iter().any(|extent| *extent != 1) {
                return Err("only blocks that divide the last axis are written".into());
            }
            let blocks = layout.num_blocks();
            vec![blocks, shape.num_elements() / blocks.max(1)]
        }
    };
    let data = read();
    let bytes = QuantizedBytes {
        bytes: data.into_bytes(),
        scheme: *scheme,
        shape,
    };
    let (_, scales) = bytes.into_vec_i8();
    let global = scales.global.unwrap_or(1.0);
    let count = vec![scales.block.len()];
    let scales = scales.block.iter().map(|scale| scale * global);
    let scales = scales.flat_map(f32::to_le_bytes).collect();
    let whole = rows.clone();
    let values = Data::lazy(DataType::Int8, rows, move || {
        TensorData::new(read().iter::<i8>().collect(), whole.clone())
    });
    Ok(Quantized {
        values,
        scales: Data::new(DataType::Float, count, scales),
    })
}
