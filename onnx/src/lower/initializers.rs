//! A module's parameters as the graph reads them.

use super::context::Context;
use crate::expr::Expr;
use crate::graph::build::{Attr, DataType, ValueId};
use crate::record::parameters::Parameter;

/// A stored parameter, in the type that the graph computes with: what is stored in bfloat16 is
/// computed in 32 bits, and quantized numbers become floats where they are read.
pub(super) fn parameter(cx: &mut Context, path: &str, parameter: Parameter) -> ValueId {
    let (stored, dims, dtype) = match parameter {
        Parameter::Plain(data) => {
            let value = cx.parameter(path, data);
            return match cx.dtype(value) {
                DataType::BFloat16 => cx.cast(value, DataType::Float),
                _ => value,
            };
        }
        Parameter::Quantized {
            stored,
            dims,
            dtype,
        } => (stored, dims, dtype),
    };
    let values = cx.parameter(path, stored.values);
    let scales = cx.parameter(&format!("{path}.scale"), stored.scales);
    // By rows, also where there is one: given a single scale, ONNX Runtime 1.32 rounds what such a
    // matrix is multiplied with to 8 bits too.
    let shape = cx.shape(values);
    let value = cx.emit(
        "DequantizeLinear",
        &[values, scales],
        vec![("axis", Attr::Int(0))],
        DataType::Float,
        shape,
    );
    let target: Vec<Expr> = dims.iter().map(|dim| Expr::constant(*dim as i64)).collect();
    let value = cx.reshape(value, &target);
    cx.cast(value, dtype)
}
