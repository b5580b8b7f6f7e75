#![no_main]
//! A WAV becomes a spectrogram, or says why not.

use fluxo_fuzz::in_file;
use fluxo_models::audio::AudioProcessor;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let dir = in_file("sound.wav", bytes);
    if let Ok(processor) = AudioProcessor::new(16, 40) {
        let _ = processor.read(&dir.join("sound.wav"));
    }
});
