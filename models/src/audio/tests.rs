#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::tensors;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/fixtures/audio")
        .join(name)
}

fn processor(name: &str) -> AudioProcessor {
    AudioProcessor::load(&fixture(name)).unwrap().unwrap()
}

/// `tests/fixtures/audio/generate.py` says where these come from.
#[test]
fn features_are_transformers() {
    let golden = tensors::read(&fixture("golden.safetensors")).unwrap();
    assert_eq!(golden.len(), 20);
    for (name, expected) in &golden {
        let [kind, folder, file] = name.splitn(3, '.').collect::<Vec<_>>()[..] else {
            panic!("{name}");
        };
        let tolerance = match kind {
            // Float64 until the end on both sides: features are below 2, so two float32 apart.
            "numpy" => 2.0 * f32::EPSILON,
            // Float32 throughout on the other; the class promises 1e-5 between its own two.
            _ => 1e-5,
        };
        let windows = processor(folder).windows(&fixture(file)).unwrap();
        let shape = expected.shape().to_vec();
        assert_eq!(windows.len(), shape[0]);
        assert_eq!(windows[0].shape().to_vec(), [1, shape[1], shape[2]]);
        let given: Vec<f32> = windows
            .iter()
            .flat_map(|window| window.as_slice::<f32>().unwrap().to_vec())
            .collect();
        let pairs = given.iter().zip(expected.as_slice::<f32>().unwrap());
        let off = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(off <= tolerance, "{name}: {off}");
    }
}

#[test]
fn one_window_is_read_and_more_are_refused() {
    let whisper = processor("whisper");
    let read = whisper.read(&fixture("16.wav")).unwrap();
    let windows = whisper.windows(&fixture("16.wav")).unwrap();
    assert_eq!(windows.len(), 1);
    assert_eq!(
        read.as_slice::<f32>().unwrap(),
        windows[0].as_slice::<f32>().unwrap()
    );
    let error = whisper.read(&fixture("long.wav")).unwrap_err().to_string();
    assert!(
        error.contains("longer than the 1 s") && error.contains("-t 1 out.wav"),
        "{error}"
    );

    // The same settings, from elsewhere.
    for same in [processor("nested"), AudioProcessor::new(80, 100).unwrap()] {
        let again = same.read(&fixture("16.wav")).unwrap();
        assert_eq!(
            again.as_slice::<f32>().unwrap(),
            read.as_slice::<f32>().unwrap()
        );
    }
    let published = AudioProcessor::new(80, 3000).unwrap();
    let features = published.read(&fixture("long.wav")).unwrap();
    assert_eq!(features.shape().to_vec(), [1, 80, 3000]);
}

/// A WAV file of this header and these bytes.
fn wav(format: u16, channels: u16, rate: u32, bits: u16, length: u32, bytes: &[u8]) -> Vec<u8> {
    let align = channels.wrapping_mul(bits / 8);
    let mut file = b"RIFF\xff\xff\xff\x7fWAVEfmt \x10\0\0\0".to_vec();
    file.extend(format.to_le_bytes());
    file.extend(channels.to_le_bytes());
    file.extend(rate.to_le_bytes());
    file.extend(rate.wrapping_mul(align.into()).to_le_bytes());
    file.extend(align.to_le_bytes());
    file.extend(bits.to_le_bytes());
    file.extend(b"data");
    file.extend(length.to_le_bytes());
    file.extend(bytes);
    file
}

/// What reading a file of these bytes gives.
fn read(bytes: &[u8]) -> Result<Vec<TensorData>> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sound.wav");
    std::fs::write(&path, bytes).unwrap();
    AudioProcessor::new(8, 10).unwrap().windows(&path)
}

#[test]
fn what_is_no_such_sound_says_so() {
    for (file, part) in [
        (
            std::fs::read(fixture("44100.wav")).unwrap(),
            "-ar 16000 out.wav",
        ),
        (b"ID3 an mp3".to_vec(), "-ar 16000 -ac 1 out.wav"),
        (Vec::new(), "empty"),
        (wav(1, 0, 16_000, 16, 0, &[]), "WAV"),
        (wav(1, 65_535, 16_000, 16, 1 << 20, &[0; 100]), "WAV"),
        (wav(1, 65, 16_000, 16, 130, &[0; 130]), "65 channels"),
        (wav(1, 1, 0, 16, 2, &[0; 2]), "0 samples a second"),
        (wav(1, 1, u32::MAX, 8, 2, &[0; 2]), "4294967295 samples"),
        (wav(1, 1, 16_000, 0, 2, &[0; 2]), "WAV"),
        (wav(1, 1, 16_000, 12, 2, &[0; 2]), "WAV"),
        (wav(3, 1, 16_000, 64, 8, &[0; 8]), "WAV"),
        (wav(2, 1, 16_000, 4, 8, &[0; 8]), "WAV"),
        (wav(1, 1, 16_000, 16, 4000, &[0; 100]), "cut short"),
        (wav(1, 1, 16_000, 16, u32::MAX - 1, &[0; 100]), "24 hours"),
        (
            wav(3, 1, 16_000, 32, 4, &f32::NAN.to_le_bytes()),
            "no sound",
        ),
    ] {
        let error = read(&file).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }
    // Loud is not wrong, and neither is nothing.
    let loud = read(&wav(3, 1, 16_000, 32, 4, &f32::MAX.to_le_bytes())).unwrap();
    assert!(
        loud[0]
            .as_slice::<f32>()
            .unwrap()
            .iter()
            .all(|value| value.is_finite())
    );
    assert_eq!(read(&wav(1, 1, 16_000, 16, 0, &[])).unwrap().len(), 1);
    // Windows that end with the file leave none over.
    assert_eq!(
        read(&wav(1, 1, 16_000, 8, 3200, &[128; 3200]))
            .unwrap()
            .len(),
        2
    );
}

#[test]
fn settings_that_are_not_whispers_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    assert!(AudioProcessor::load(dir.path()).unwrap().is_none());
    let path = dir.path().join("preprocessor_config.json");
    std::fs::write(
        &path,
        r#"{"feature_extractor_type": "Wav2Vec2FeatureExtractor"}"#,
    )
    .unwrap();
    assert!(AudioProcessor::load(dir.path()).unwrap().is_none());
    for (setting, part) in [
        (r#""feature_size": 0"#, "`feature_size`"),
        (r#""feature_size": 1000000000"#, "`feature_size`"),
        (r#""chunk_length": 1000000000"#, "`chunk_length`"),
        (r#""chunk_length": -1"#, "`chunk_length`"),
        (r#""n_fft": 100000"#, "`n_fft`"),
        (r#""hop_length": 0"#, "`hop_length`"),
        (r#""sampling_rate": "high""#, "`sampling_rate`"),
        (r#""sampling_rate": 100, "chunk_length": 1"#, "too short"),
        (r#""dither": 0.1"#, "`dither`"),
        (r#""padding_value": 1"#, "`padding_value`"),
    ] {
        let config = format!(r#"{{"feature_extractor_type": "{CLASS}", {setting}}}"#);
        std::fs::write(&path, &config).unwrap();
        let error = AudioProcessor::load(dir.path()).unwrap_err().to_string();
        assert!(error.contains(part), "{config}: {error}");
    }
    assert!(AudioProcessor::new(0, 100).is_err());
    assert!(AudioProcessor::new(80, 0).is_err());
    assert!(AudioProcessor::new(80, usize::MAX).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn any_bytes_are_a_sound_or_an_error(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        at in 0usize..48,
        name in prop::sample::select(vec!["8.wav", "24.wav", "float.wav", "stereo.wav"]),
    ) {
        let _ = read(&bytes);
        let mut whole = std::fs::read(fixture(name)).unwrap();
        for (index, byte) in bytes.iter().take(6).enumerate() {
            whole[at + index] = *byte;
        }
        let _ = read(&whole);
    }

    #[test]
    fn any_header_is_a_sound_or_an_error(
        format in prop::sample::select(vec![0u16, 1, 2, 3, 0xfffe]),
        channels in prop_oneof![0u16..5, any::<u16>()],
        bits in prop_oneof![0u16..70, any::<u16>()],
        length in prop_oneof![0u32..100, any::<u32>()],
        bytes in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let _ = read(&wav(format, channels, 16_000, bits, length, &bytes));
    }

    #[test]
    fn any_settings_are_settings_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("preprocessor_config.json"), bytes).unwrap();
        let _ = AudioProcessor::load(dir.path());
    }
}
