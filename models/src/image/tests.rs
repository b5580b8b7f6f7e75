#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::tensors;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/fixtures/images")
        .join(name)
}

fn processor(name: &str) -> ImageProcessor {
    ImageProcessor::load(&fixture(name)).unwrap().unwrap()
}

/// `tests/fixtures/images/generate.py` says where these come from. To the last bit: the
/// resizing is in integers, and the rest in the steps that numpy takes.
#[test]
fn pixel_values_are_transformers() {
    let golden = tensors::read(&fixture("golden.safetensors")).unwrap();
    assert_eq!(golden.len(), 62);
    for (name, expected) in golden {
        let (folder, file) = name.split_once('.').unwrap();
        let given = processor(folder).read(&fixture(file)).unwrap();
        assert_eq!(given.shape(), expected.shape(), "{name}");
        let bits = |data: &TensorData| -> Vec<u32> {
            let values = data.as_slice::<f32>().unwrap();
            values.iter().map(|value| value.to_bits()).collect()
        };
        assert!(bits(&given) == bits(&expected), "{name}");
    }
}

/// JPEG leaves rounding, and the smoothing of the colours that it stores at half the size, to
/// the decoder. The bounds are what is seen against libjpeg-turbo 3.2: the most that a byte
/// differs by, and the mean.
#[test]
fn jpeg_files_decode_as_in_pillow_but_for_rounding() {
    let golden = tensors::read(&fixture("decoded.safetensors")).unwrap();
    assert_eq!(golden.len(), 8);
    for (name, expected) in golden {
        let (most, mean) = match name.as_str() {
            "444.jpg" => (2.0, 0.03),
            "grey.jpg" | "cmyk.jpg" => (1.0, 0.02),
            "422.jpg" => (3.0, 0.2),
            _ => (5.0, 0.41),
        };
        let pixels = decode::read(&fixture(&name), false).unwrap();
        assert_eq!(expected.shape().to_vec(), [pixels.height, pixels.width, 3]);
        let expected = expected.convert::<f32>();
        let expected = expected.as_slice::<f32>().unwrap();
        let bytes = pixels.rgb.iter().map(|&byte| f32::from(byte));
        let off: Vec<f32> = bytes.zip(expected).map(|(a, b)| (a - b).abs()).collect();
        let worst = off.iter().copied().fold(0.0, f32::max);
        let average = off.iter().sum::<f32>() / off.len() as f32;
        assert!(
            worst <= most && average <= mean,
            "{name}: {worst} {average}"
        );
    }
}

#[test]
fn images_of_one_size_are_a_batch() {
    let vit = ImageProcessor::from_defaults(16);
    let files = ["rgb.png", "420.jpg"].map(fixture);
    let both = vit.read_all(&files).unwrap();
    assert_eq!(both.shape().to_vec(), [2, 3, 16, 16]);
    let alone: Vec<f32> = files
        .iter()
        .flat_map(|file| vit.read(file).unwrap().as_slice::<f32>().unwrap().to_vec())
        .collect();
    assert_eq!(both.as_slice::<f32>().unwrap(), alone);

    let error = processor("bytes").read_all(&["rgb.png", "wide.png"].map(fixture));
    assert!(error.unwrap_err().to_string().contains("different sizes"));
    assert!(vit.read_all(&[] as &[PathBuf]).is_err());
}

/// What reading a file of these bytes says.
fn refusal(processor: &ImageProcessor, bytes: &[u8]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("image");
    std::fs::write(&path, bytes).unwrap();
    let error = processor.read(&path).unwrap_err().to_string();
    assert!(!error.contains('\n'), "{error}");
    error
}

#[test]
fn files_that_are_cut_short_are_refused() {
    let vit = ImageProcessor::from_defaults(8);
    for name in [
        "rgb.png",
        "interlaced.png",
        "palette.png",
        "420.jpg",
        "progressive.jpg",
        "cmyk.jpg",
    ] {
        let whole = std::fs::read(fixture(name)).unwrap();
        // A PNG's last twelve bytes only say that it ends.
        for length in (0..whole.len() - 16).step_by(7) {
            refusal(&vit, &whole[..length]);
        }
    }
}

#[test]
fn absurd_images_are_refused_before_they_are_held() {
    let vit = ImageProcessor::from_defaults(8);
    let mut png = std::fs::read(fixture("rgb.png")).unwrap();
    png[16..24].copy_from_slice(&[0, 1, 0x86, 0xa0, 0, 1, 0x86, 0xa0]);
    let sum = crc(&png[12..29]);
    png[29..33].copy_from_slice(&sum.to_be_bytes());
    assert!(refusal(&vit, &png).contains("100000 x 100000"));

    let mut jpeg = std::fs::read(fixture("420.jpg")).unwrap();
    let frame = jpeg.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
    jpeg[frame + 5..frame + 9].fill(0xff);
    assert!(refusal(&vit, &jpeg).contains("65535 x 65535"));

    assert!(
        refusal(
            &ImageProcessor::from_defaults(0),
            &std::fs::read(fixture("rgb.png")).unwrap()
        )
        .contains("nothing")
    );
    assert!(
        refusal(
            &ImageProcessor::from_defaults(usize::MAX),
            &std::fs::read(fixture("rgb.png")).unwrap()
        )
        .contains("cannot be resized")
    );

    // One pixel wide and nine high, made 8192 wide.
    let thin = NewModelOptions {
        size: Some(Size::ShortestEdge(8192)),
        ..NewModelOptions::vit(1)
    };
    let file = std::fs::read(fixture("thin.png")).unwrap();
    assert!(refusal(&ImageProcessor(thin), &file).contains("cannot be resized to 8192 x 73728"));
}

/// The checksum of a PNG's chunk.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| {
            (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg())
        })
    })
}

#[test]
fn what_is_no_image_says_so() {
    let vit = ImageProcessor::from_defaults(8);
    assert!(refusal(&vit, b"").contains("empty"));
    assert!(refusal(&vit, b"GIF89a").contains("neither a PNG nor a JPEG"));
    assert!(refusal(&vit, b"text").contains("neither a PNG nor a JPEG"));
    assert!(vit.read(Path::new("/nowhere/at/all.png")).is_err());
    assert!(
        vit.read(&fixture(""))
            .unwrap_err()
            .to_string()
            .contains("not a file")
    );
}

#[test]
fn settings_that_are_not_the_steps_here_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    assert!(ImageProcessor::load(dir.path()).unwrap().is_none());
    for (config, part) in [
        ("{", "not JSON"),
        (
            r#"{"image_processor_type": "ConvNextImageProcessor"}"#,
            "ConvNext",
        ),
        (r#"{"size": 1000000000}"#, "1000000000"),
        (r#"{"size": {"height": 0, "width": 4}}"#, "an edge of 0"),
        (
            r#"{"size": {"shortest_edge": 4, "longest_edge": 8}}"#,
            "alone",
        ),
        (r#"{"size": {"height": 4}}"#, "alone"),
        (r#"{"size": [1, 2, 3]}"#, "a height and a width"),
        (r#"{"size": "big"}"#, "no size"),
        (r#"{"resample": 5}"#, "`resample`"),
        (r#"{"do_center_crop": true}"#, "`crop_size`"),
        (r#"{"do_resize": 1}"#, "`do_resize`"),
        (r#"{"do_pad": true}"#, "`do_pad`"),
        (r#"{"image_mean": [1, 2]}"#, "three numbers"),
        (r#"{"image_mean": "x"}"#, "no number"),
        (r#"{"image_std": [1, 0, 1]}"#, "`image_std` is 0"),
        (r#"{"rescale_factor": 1e300}"#, "`rescale_factor`"),
    ] {
        std::fs::write(dir.path().join("preprocessor_config.json"), config).unwrap();
        let error = ImageProcessor::load(dir.path()).unwrap_err().to_string();
        assert!(error.contains(part), "{config}: {error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn any_bytes_are_an_image_or_an_error(
        bytes in prop::collection::vec(any::<u8>(), 1..20),
        at in any::<prop::sample::Index>(),
        name in prop::sample::select(vec![
            "rgba16.png", "palette-alpha.png", "interlaced.png", "420.jpg", "progressive.jpg", "cmyk.jpg",
        ]),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("image");
        let mut whole = std::fs::read(fixture(name)).unwrap();
        let at = at.index(whole.len());
        let end = (at + bytes.len()).min(whole.len());
        whole.splice(at..end, bytes.iter().copied());
        for content in [whole, bytes] {
            std::fs::write(&path, content).unwrap();
            let _ = ImageProcessor::from_defaults(8).read(&path);
        }
    }

    #[test]
    fn any_sizes_fit(height in 1usize..40, width in 1usize..40, high in 1usize..40, wide in 1usize..40, filter in 0u64..4) {
        let image = Pixels { width, height, rgb: vec![200; width * height * 3] };
        // An even colour stays what it is, wherever the weights stand.
        let resized = resize::resize(&image, high, wide, resize::Filter::of(filter).unwrap());
        prop_assert_eq!(&resized, &Pixels { width: wide, height: high, rgb: vec![200; wide * high * 3] });
        let cropped = crop(&image, high, wide);
        prop_assert_eq!((cropped.height, cropped.width), (high, wide));
        let kept = cropped.rgb.iter().filter(|&&byte| byte == 200).count();
        prop_assert_eq!(kept, high.min(height) * wide.min(width) * 3);
    }

    #[test]
    fn any_settings_are_settings_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("preprocessor_config.json"), bytes).unwrap();
        let _ = ImageProcessor::load(dir.path());
    }
}
