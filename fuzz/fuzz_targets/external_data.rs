#![no_main]
//! The weights of an ONNX file are read, where they stand inside and where beside it.

use fluxo_fuzz::in_file;
use fluxo_onnx::file::numbers;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    in_file("w", &[1; 64]);
    let _ = numbers(&in_file("model.onnx", bytes).join("model.onnx"), |_| true);
});
