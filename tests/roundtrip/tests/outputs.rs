//! Back again: Burn to ONNX by `fluxo-onnx`, ONNX to Burn by upstream's importer.
//!
//! `classifier.onnx` is what the example `export_a_module` wrote (LayerNorm, Linear, GELU,
//! Linear); the scores are its own, from `fluxo run classifier.onnx --on rten`. After writing
//! the file anew, take new scores.

use burn::tensor::{Device, Tensor, TensorData};
use fluxo_roundtrip::classifier::Model;

const SCORES: [[f32; 3]; 3] = [
    [0.41919112, 0.01710978, 0.09726822],
    [-0.3610117, 0.19220996, 0.18184282],
    [0.5024798, 0.24536572, 0.06282923],
];

#[test]
fn the_imported_code_computes_what_was_exported() {
    let device = Device::flex();
    let x: Vec<f32> = (0..24).map(|i| (i as f32 * 0.37) % 2.0 - 1.0).collect();
    let x = Tensor::<2>::from_data(TensorData::new(x, [3, 8]), &device); // [batch, 8]
    let scores = Model::default().forward(x).to_data();
    let scores = scores.as_slice::<f32>().expect("float32");
    for (got, wanted) in scores.iter().zip(SCORES.as_flattened()) {
        // As every other runtime here: float32 sums in another order.
        assert!((got - wanted).abs() <= 2e-5, "{got} is not {wanted}");
    }
    assert_eq!(scores.len(), 9);
}
