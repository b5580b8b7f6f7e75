#![no_main]
//! An index of shards leads to its shards and to no other file.

use fluxo_fuzz::{in_file, read_store};
use libfuzzer_sys::fuzz_target;

/// A file with the empty tensor `a`.
const SHARD: &[u8] =
    b"\x38\0\0\0\0\0\0\0{\"a\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}  ";

fuzz_target!(|bytes: &[u8]| {
    in_file("s", SHARD);
    read_store(in_file("model.safetensors.index.json", bytes));
});
