#![no_main]
//! A training configuration is read, or the reason why not; written again it is the same.

use fluxo_fuzz::in_file;
use fluxo_train::TrainConfig;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let folder = in_file("train.toml", bytes);
    if let Ok(config) = TrainConfig::load(&folder.join("train.toml")) {
        let text = toml::to_string(&config).expect("it is written");
        let again: TrainConfig = toml::from_str(&text).expect("it is read again");
        assert_eq!(toml::to_string(&again).expect("it is written"), text);
    }
});
