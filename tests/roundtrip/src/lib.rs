//! The code that `burn-import` makes of files that `fluxo export` and `fluxo-onnx` wrote.
//!
//! Their integers are ONNX's, of 64 bits: inputs are made with `DType::I64`, since a device's own
//! integers may have 32.

macro_rules! imported {
    ($($name:ident),*) => {$(
        #[allow(missing_docs, warnings, clippy::all)]
        pub mod $name {
            include!(concat!(env!("OUT_DIR"), "/model/", stringify!($name), ".rs"));
        }
    )*};
}

imported!(classifier, bert, llama, t5_encoder, t5_decoder, vit);
