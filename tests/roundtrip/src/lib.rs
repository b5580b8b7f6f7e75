//! The code that `burn-import` makes of a file that `fluxo-onnx` wrote.

#[allow(missing_docs, clippy::all)]
pub mod classifier {
    include!(concat!(env!("OUT_DIR"), "/model/classifier.rs"));
}
