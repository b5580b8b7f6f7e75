//! What commands read: images and sounds, and prompts and tensors that are refused.

use burn::tensor::TensorData;
use fluxo_models::{Tensors, tensors};
use fluxo_tests::fixture;

use crate::common::*;

/// An image or a sound is prepared as the checkpoint's own file says.
#[test]
fn images_and_sounds_are_inputs() {
    let out = tempfile::tempdir().unwrap();
    let file = out.path().join("out.safetensors");
    let vit = copy("vit");
    let image = fixture("images/rgb.png");
    let args = [
        "run",
        text(vit.path()),
        "--image",
        text(&image),
        "--out",
        text(&file),
    ];
    refused(&args, "preprocessor_config.json");
    let processor = serde_json::json!({
        "image_processor_type": "ViTImageProcessor", "size": {"height": 16, "width": 16},
        "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5],
    });
    std::fs::write(
        vit.path().join("preprocessor_config.json"),
        processor.to_string(),
    )
    .unwrap();
    json(&args);
    let logits = &tensors::read(&file).unwrap()["logits"];
    assert_eq!(logits.shape().to_vec(), [1, 5]);
    let broken = out.path().join("broken.png");
    std::fs::write(&broken, &std::fs::read(&image).unwrap()[..60]).unwrap();
    refused(
        &[
            "run",
            text(vit.path()),
            "--image",
            text(&broken),
            "--out",
            text(&file),
        ],
        "broken.png",
    );

    let whisper = copy("whisper");
    let processor = serde_json::json!({
        "feature_extractor_type": "WhisperFeatureExtractor", "feature_size": 16,
        "sampling_rate": 16000, "hop_length": 160, "n_fft": 400, "chunk_length": 1,
        "n_samples": 6400, "nb_max_frames": 40,
    });
    std::fs::write(
        whisper.path().join("preprocessor_config.json"),
        processor.to_string(),
    )
    .unwrap();
    let rate = fixture("audio/44100.wav");
    refused(
        &["generate", text(whisper.path()), "--sound", text(&rate)],
        "16000",
    );
}

#[test]
fn bad_prompts_and_inputs_are_refused() {
    let model = fixture("hf/gpt2");
    let model = text(&model);
    refused(
        &["generate", model, "--ids", "99"],
        "token 99 is not in the vocabulary of 99",
    );
    refused(&["generate", model, "--prompt", "hello"], "tokenizer.json");
    refused(
        &["generate", model, "--ids", "1", "--max-new-tokens", "65"],
        "64 positions",
    );
    refused(
        &["generate", model, "--ids", "1", "--temperature", "nan"],
        "temperature",
    );
    refused(
        &["generate", text(&fixture("hf/bert")), "--ids", "1"],
        "no head for text-generation",
    );
    refused(&["generate", model, "--ids", "1", "--on", "flexx"], "flex");
    let dir = tempfile::tempdir().unwrap();
    let fresh = dir.path().join("fresh");
    json(&["new", "gpt2", "--out", text(&fresh), "--set", "n_layer=1"]);
    refused(
        &["generate", text(&fresh), "--prompt", ""],
        "the prompt is empty",
    );
    refused(
        &["inspect", text(&fresh), "--prompt", ""],
        "the prompt is empty",
    );

    let run = |inputs: Tensors, needle: &str| {
        let path = dir.path().join("in.safetensors");
        tensors::write(&path, &inputs).unwrap();
        refused(
            &[
                "run",
                model,
                "--inputs",
                text(&path),
                "--out",
                text(&dir.path().join("o")),
            ],
            needle,
        );
    };
    let ids = |values: Vec<i64>, shape: [usize; 2]| {
        Tensors::from([("input_ids".to_string(), TensorData::new(values, shape))])
    };
    run(ids(vec![1, -1], [1, 2]), "-1");
    run(ids(vec![1; 65], [1, 65]), "64");
    run(ids(vec![], [1, 0]), "no token");
    run(Tensors::new(), "`input_ids` is missing");
    let mut wrong = ids(vec![1, 2], [1, 2]);
    wrong.insert(
        "attention_mask".into(),
        TensorData::new(vec![1i64; 3], [1, 3]),
    );
    run(wrong, "`attention_mask` is [1, 3]");
    let mut wrong = ids(vec![1, 2], [1, 2]);
    wrong.insert(
        "pixel_values".into(),
        TensorData::new(vec![1f32; 3], [1, 3]),
    );
    run(wrong, "pixel_values");
}
