#![no_main]
//! A `model.safetensors` is read, or says why not.

use fluxo_fuzz::{in_file, read_store};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| read_store(in_file("model.safetensors", bytes)));
