#![no_main]
//! A `config.json` becomes a network's configuration, or says why not.

use fluxo_models::catalog::Description;
use fluxo_models::config::RawConfig;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(map) = serde_json::from_slice(bytes) {
        let _ = Description::of(RawConfig(map), None);
    }
});
