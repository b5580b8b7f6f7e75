#![no_main]
//! A tensor file is read, or says why not.

use fluxo_fuzz::in_file;
use fluxo_models::tensors;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = tensors::read(&in_file("inputs.safetensors", bytes).join("inputs.safetensors"));
});
