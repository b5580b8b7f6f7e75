#![no_main]
//! A `preprocessor_config.json` is read for images and for sound, or says why not.

use fluxo_fuzz::in_file;
use fluxo_models::audio::AudioProcessor;
use fluxo_models::image::ImageProcessor;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let dir = in_file("preprocessor_config.json", bytes);
    let _ = ImageProcessor::load(dir);
    let _ = AudioProcessor::load(dir);
});
