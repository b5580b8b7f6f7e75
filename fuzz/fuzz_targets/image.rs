#![no_main]
//! An image is decoded and resized, or says why not.

use fluxo_fuzz::in_file;
use fluxo_models::image::ImageProcessor;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let dir = in_file("image.png", bytes);
    let _ = ImageProcessor::from_defaults(16).read(&dir.join("image.png"));
});
