//! Folders as transformers 5 writes them (`tests/fixtures/make_folders.py`): what is read of them,
//! and what stands in a folder that other programs open.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use fluxo_models::audio::AudioProcessor;
use fluxo_models::chat::{ChatTemplate, Message};
use fluxo_models::image::ImageProcessor;
use fluxo_models::{Model, NewModelOptions, tensors};
use serde_json::{Value, json};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/fixtures")
        .join(name)
}

fn read(path: PathBuf) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn images_and_sounds_are_read_as_transformers_reads_them() {
    let golden = tensors::read(&fixture("folders/golden.safetensors")).unwrap();
    assert_eq!(golden.len(), 4);
    for (name, expected) in golden {
        let folder = fixture("folders").join(&name);
        let image = ImageProcessor::load(&folder);
        let sound = AudioProcessor::load(&folder);
        let (given, tolerance) = if name.starts_with("clip") {
            let image = image.unwrap().unwrap();
            (image.read(&fixture("images/rgb.png")).unwrap(), 0.0)
        } else {
            assert!(image.unwrap().is_none(), "{name} has no images");
            let sound = sound.unwrap().unwrap();
            // The other side computes in float32 throughout, and promises as much.
            (sound.read(&fixture("audio/8.wav")).unwrap(), 1e-5)
        };
        assert_eq!(given.shape(), expected.shape(), "{name}");
        let pairs = given.iter::<f32>().zip(expected.iter::<f32>());
        let off = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(off <= tolerance, "{name}: {off}");
    }
}

#[test]
fn the_default_of_several_templates_is_written_with() {
    let golden = read(fixture("folders/golden.json"));
    let messages = golden["messages"].as_array().unwrap().iter();
    let text = |message: &Value, key: &str| message[key].as_str().unwrap().to_string();
    let messages: Vec<_> = messages
        .map(|message| Message::new(text(message, "role"), text(message, "content")))
        .collect();
    let template = ChatTemplate::load(&fixture("folders/chat"))
        .unwrap()
        .unwrap();
    assert_eq!(template.render(&messages, true).unwrap(), golden["text"]);
    // Without the default, transformers asks which one is meant.
    let dir = tempfile::tempdir().unwrap();
    copy(&fixture("folders/chat"), dir.path());
    std::fs::remove_file(dir.path().join("chat_template.jinja")).unwrap();
    let error = ChatTemplate::load(dir.path()).unwrap_err().to_string();
    assert!(error.contains("chat templates (rag)"), "{error}");
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &to);
        } else {
            std::fs::copy(&path, &to).unwrap();
        }
    }
}

/// The files of a new model of `family` that is loaded with those of `folder` beside it: saved
/// again, and as an export has them.
fn carried(family: &str, folder: &str) -> [tempfile::TempDir; 2] {
    let device = fluxo_backends::device("flex").unwrap();
    let [checkpoint, saved, exported] = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let model = Model::new(family, &NewModelOptions::default(), 1, &device).unwrap();
    model.save(checkpoint.path()).unwrap();
    // It would read text as bytes otherwise.
    copy(&fixture("folders").join(folder), checkpoint.path());
    let (model, _) = Model::load(checkpoint.path(), None, &device).unwrap();
    model.save(saved.path()).unwrap();
    model.save_config_whole(exported.path()).unwrap();
    [saved, exported]
}

#[test]
fn settings_are_carried_and_stand_where_transformers_js_looks() {
    for (family, folder, key) in [
        ("clip", "clip", "image_processor"),
        ("clip", "clip-both", "image_processor"),
        ("whisper", "whisper", "feature_extractor"),
        ("whisper", "whisper-both", "feature_extractor"),
    ] {
        let [saved, exported] = carried(family, folder);
        let fixture = fixture("folders").join(folder);
        for name in ["processor_config.json", "preprocessor_config.json"] {
            let (from, to) = (fixture.join(name), saved.path().join(name));
            assert_eq!(from.is_file(), to.is_file(), "{folder}: {name}");
            if from.is_file() {
                assert_eq!(std::fs::read(from).unwrap(), std::fs::read(to).unwrap());
            }
        }
        let nested = read(fixture.join("processor_config.json"));
        let mut wanted = nested[key].clone();
        wanted["processor_class"] = nested["processor_class"].clone();
        let alone = read(exported.path().join("preprocessor_config.json"));
        assert_eq!(alone, wanted, "{folder}");
    }
}

/// The files in `folder`, by their paths in it, and what they hold.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(inside) = open.pop() {
        for entry in std::fs::read_dir(inside).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path)
            } else {
                let name = path.strip_prefix(folder).unwrap().to_path_buf();
                found.push((name, std::fs::read(path).unwrap()));
            }
        }
    }
    found
}

#[test]
fn what_sentence_transformers_needs_is_carried() {
    let wanted = files(&fixture("folders/sentences"));
    assert_eq!(wanted.len(), 7);
    for folder in carried("bert", "sentences") {
        let found = files(folder.path());
        for file in &wanted {
            assert!(
                found.contains(file),
                "{} is absent or other",
                file.0.display()
            );
        }
    }
}

#[test]
fn templates_are_carried_and_stand_where_transformers_js_looks() {
    let [saved, exported] = carried("llama", "chat");
    let chat = fixture("folders/chat");
    let source = |name: &str| std::fs::read_to_string(chat.join(name)).unwrap();
    for name in ["chat_template.jinja", "additional_chat_templates/rag.jinja"] {
        for folder in [&saved, &exported] {
            let carried = std::fs::read_to_string(folder.path().join(name)).unwrap();
            assert_eq!(carried, source(name));
        }
    }
    let settings = read(saved.path().join("tokenizer_config.json"));
    assert_eq!(settings, read(chat.join("tokenizer_config.json")));
    let mut settings = read(exported.path().join("tokenizer_config.json"));
    let wanted = json!([
        {"name": "default", "template": source("chat_template.jinja")},
        {"name": "rag", "template": source("additional_chat_templates/rag.jinja")},
    ]);
    assert_eq!(settings["chat_template"], wanted);
    settings.as_object_mut().unwrap().remove("chat_template");
    assert_eq!(settings, read(chat.join("tokenizer_config.json")));
    // Read again, the folder's own file still counts.
    let template = ChatTemplate::load(exported.path()).unwrap().unwrap();
    let text = template
        .render(&[Message::new("user", "a")], false)
        .unwrap();
    assert_eq!(text, "<s> [user] a </s>");
}
