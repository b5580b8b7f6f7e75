//! Tensors in a file that `measure.py` reads: a line each, `kind dims bytes`, then the bytes.

use std::path::Path;

use burn::tensor::TensorData;

pub fn write(path: &Path, inputs: &[TensorData], outputs: &[TensorData]) {
    let mut bytes = format!("{} {}\n", inputs.len(), outputs.len()).into_bytes();
    for data in inputs.iter().chain(outputs) {
        let (kind, raw): (_, Vec<u8>) = if data.dtype().is_bool() {
            ("b", data.iter::<bool>().map(u8::from).collect())
        } else if data.dtype().is_float() {
            ("f", data.iter::<f32>().flat_map(f32::to_le_bytes).collect())
        } else {
            ("i", data.iter::<i64>().flat_map(i64::to_le_bytes).collect())
        };
        let dims: Vec<String> = data
            .shape()
            .to_vec()
            .iter()
            .map(|d| d.to_string())
            .collect();
        bytes.extend(format!("{kind} {} {}\n", dims.join(","), raw.len()).bytes());
        bytes.extend(raw);
    }
    std::fs::write(path, bytes).unwrap();
}
