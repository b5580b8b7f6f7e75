#![no_main]
//! What an ONNX file declares is read, or the reason why not.

use fluxo_fuzz::in_file;
use fluxo_onnx::file::Signature;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = Signature::read(&in_file("model.onnx", bytes).join("model.onnx"));
});
