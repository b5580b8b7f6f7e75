#![no_main]
//! A `pytorch_model.bin` is read, or says why not; it runs nothing.

use fluxo_fuzz::{in_file, read_store};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| read_store(in_file("pytorch_model.bin", bytes)));
