#![no_main]
//! A `vocab.txt` becomes a tokenizer that encodes and decodes, or says why not.

use fluxo_fuzz::in_file;
use fluxo_models::Text;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let dir = in_file("vocab.txt", bytes);
    if let Ok(Some(text)) = Text::from_folder(dir) {
        let ids = text.encode("hello there").unwrap_or_default();
        let _ = text.decode(&ids);
    }
});
