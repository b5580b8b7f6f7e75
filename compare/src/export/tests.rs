//! Exported folders: what is in them, that they agree, and that nothing else is kept.
#![allow(clippy::unwrap_used)]
use fluxo_models::{NewModelOptions, OutputOptions};

use super::*;
use crate::files::GRAPH;
use crate::testing::skip;
use crate::{compare, inputs::samples, open, verify};

fn model(family: &str, seed: u64) -> Model {
    let device = fluxo_backends::device("flex").unwrap();
    Model::new(family, &NewModelOptions::default(), seed, &device).unwrap()
}

/// Every file below `dir`, by its path in it.
fn files(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![dir.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(dir).unwrap().display().to_string());
            }
        }
    }
    found.sort();
    found
}

/// Exports, then compares checkpoint and export on every backend and runtime there is.
fn round_trip(family: &str, options: &ExportOptions, inputs: &[&str], outputs: &[&str]) {
    let dir = tempfile::tempdir().unwrap();
    let (checkpoint, exported) = (dir.path().join("ckpt"), dir.path().join("new/exported"));
    let model = model(family, 3);
    model.save(&checkpoint).unwrap();
    let report = export(&model, &exported, options).unwrap();
    let verification = report.verification.unwrap();
    assert!(
        verification.agrees() && verification.skipped.is_empty(),
        "{verification}"
    );
    let mut judges = vec!["float64", "flex", "tract", "rten"];
    let here = open::runtimes();
    judges.extend(
        here.iter()
            .filter(|it| it.name == "ort" && it.usable)
            .map(|it| it.name),
    );
    assert_eq!(verification.runners, judges, "{verification}");
    let mut wanted: Vec<_> = report.files.iter().map(|f| f.file.clone()).collect();
    wanted.insert(0, exported.join("config.json"));
    wanted.sort();
    let found = files(&exported).into_iter().map(|file| exported.join(file));
    assert_eq!(found.collect::<Vec<_>>(), wanted);
    // Whoever may read the configuration may read the graph.
    let permissions = |name: &Path| {
        std::fs::metadata(exported.join(name))
            .unwrap()
            .permissions()
    };
    assert_eq!(
        permissions(&report.file),
        permissions("config.json".as_ref())
    );
    assert_eq!(report.inputs[..inputs.len()], *inputs);
    assert_eq!(report.outputs[..outputs.len()], *outputs);

    let models = [checkpoint, exported];
    let mut opened = open::open(&models, &[], OutputOptions::default()).unwrap();
    for skipped in &opened.skipped {
        skip(&format!("{family} in {}", skipped.runner), &skipped.reason);
    }
    let inputs = samples::inputs(model.config(), 2, 9);
    let report = compare(&mut opened.runners, &inputs, None).unwrap();
    println!("{report}");
    assert!(report.agrees() && report.skipped.is_empty(), "{report}");
    assert!(report.runners.contains(&"ckpt:flex".to_string()));
    assert!(report.runners.contains(&"exported:rten".to_string()));
}

const CACHED: [&str; 4] = [
    "input_ids",
    "attention_mask",
    "past_key_values.0.key",
    "past_key_values.0.value",
];

#[test]
fn bert_round_trip() {
    let inputs = ["input_ids", "attention_mask", "token_type_ids"];
    let outputs = ["last_hidden_state", "pooler_output"];
    round_trip("bert", &ExportOptions::default(), &inputs, &outputs);
}

#[test]
fn gpt2_round_trip() {
    let outputs = ["logits", "present.0.key", "present.0.value"];
    round_trip("gpt2", &ExportOptions::default(), &CACHED, &outputs);
}

#[test]
fn llama_round_trip() {
    let outputs = ["logits", "present.0.key", "present.0.value"];
    round_trip("llama", &ExportOptions::default(), &CACHED, &outputs);
}

#[test]
fn an_encoder_decoder_is_two_files() {
    let inputs = [
        "encoder_attention_mask",
        "input_ids",
        "encoder_hidden_states",
        "past_key_values.0.decoder.key",
        "past_key_values.0.decoder.value",
        "past_key_values.0.encoder.key",
        "past_key_values.0.encoder.value",
    ];
    let outputs = [
        "logits",
        "present.0.decoder.key",
        "present.0.decoder.value",
        "present.0.encoder.key",
    ];
    for family in ["t5", "bart", "marian"] {
        round_trip(family, &ExportOptions::default(), &inputs, &outputs);
    }
    // Sounds have no padding.
    round_trip("whisper", &ExportOptions::default(), &inputs[1..], &outputs);
}

#[test]
fn without_a_cache() {
    let options = ExportOptions {
        cache: false,
        ..ExportOptions::default()
    };
    round_trip(
        "gpt2",
        &options,
        &["input_ids", "attention_mask"],
        &["logits"],
    );
}

#[test]
fn the_files_of_a_tokenizer_come_along() {
    let dir = tempfile::tempdir().unwrap();
    let (checkpoint, exported) = (dir.path().join("ckpt"), dir.path().join("exported"));
    model("bert", 3).save(&checkpoint).unwrap();
    let words = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nflow\n";
    std::fs::write(checkpoint.join("vocab.txt"), words).unwrap();
    let settings = r#"{"tokenizer_class": "BertTokenizer"}"#;
    std::fs::write(checkpoint.join("tokenizer_config.json"), settings).unwrap();
    let device = fluxo_backends::device("flex").unwrap();
    let (model, _) = Model::load(&checkpoint, None, &device).unwrap();
    export(&model, &exported, &ExportOptions::default()).unwrap();
    let found = files(&exported);
    for name in ["config.json", GRAPH, "tokenizer_config.json", "vocab.txt"] {
        assert!(found.iter().any(|file| file == name), "{name}: {found:?}");
    }
}

#[test]
fn a_file_that_does_not_agree_is_not_kept() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("exported");
    let (model, other) = (model("bert", 3), model("bert", 4));
    let options = ExportOptions::default();
    let error = export_with(&model, &target, &options, &untold, |_, folder| {
        verify(&other, folder, &options)
    })
    .unwrap_err();
    assert!(error.did_not_hold());
    let ExportError::Disagrees(report) = error else {
        panic!("{error}")
    };
    assert!(!report.agrees());
    // Neither the folder nor a draft of it.
    assert_eq!(files(dir.path()), Vec::<String>::new());
    assert!(!target.exists());

    // What was there before stays as it was.
    std::fs::create_dir_all(target.join("onnx")).unwrap();
    std::fs::write(target.join(GRAPH), "old").unwrap();
    let unverified = Error::runner("tract", "no");
    let error =
        export_with(&model, &target, &options, &untold, |_, _| Err(unverified)).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("could not be checked, and was not kept: tract: no")
    );
    assert_eq!(std::fs::read(target.join(GRAPH)).unwrap(), b"old");
    assert_eq!(files(&target), [GRAPH]);
    export(&model, &target, &options).unwrap();
    assert_eq!(files(&target), ["config.json", GRAPH]);
    assert_ne!(std::fs::read(target.join(GRAPH)).unwrap(), b"old");
}

#[test]
fn a_file_that_does_not_agree_is_kept_where_asked_and_marked() {
    let dir = tempfile::tempdir().unwrap();
    let (model, other) = (model("bert", 3), model("bert", 4));
    let options = ExportOptions {
        keep: true,
        ..ExportOptions::default()
    };
    let mark = |folder: &Path| {
        let about = fluxo_onnx::file::Signature::read(&folder.join(GRAPH))
            .unwrap()
            .metadata;
        about.get(KEPT).cloned()
    };
    let target = dir.path().join("differs");
    let report = export_with(&model, &target, &options, &untold, |_, folder| {
        verify(&other, folder, &options)
    })
    .unwrap();
    assert!(!report.verification.unwrap().agrees());
    assert_eq!(files(&target), ["config.json", GRAPH]);
    assert_eq!(mark(&target), report.kept);
    assert!(report.kept.unwrap().contains("differ"));

    let target = dir.path().join("unchecked");
    let unverified = Error::runner("tract", "no");
    let report = export_with(&model, &target, &options, &untold, |_, _| Err(unverified)).unwrap();
    assert_eq!(report.kept.as_deref(), Some("not checked: tract: no"));
    assert_eq!(mark(&target), report.kept);

    // One that agrees is not marked.
    let target = dir.path().join("agrees");
    let report = export(&model, &target, &options).unwrap();
    assert_eq!((report.kept, mark(&target)), (None, None));
}

#[test]
fn what_cannot_be_written_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let model = model("bert", 3);
    let error = export(&model, &file, &ExportOptions::default()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("a file of this name is in the way"),
        "{error}"
    );
    let error = export(&model, &file.join("below"), &ExportOptions::default()).unwrap_err();
    assert!(error.to_string().contains("file"), "{error}");
    assert!(!error.did_not_hold());
    let options = ExportOptions {
        opset: 7,
        ..ExportOptions::default()
    };
    let error = export(&model, &dir.path().join("e"), &options).unwrap_err();
    assert!(error.to_string().contains("opset 7"), "{error}");
    let options = ExportOptions {
        image_size: Some([8, 8]),
        ..ExportOptions::default()
    };
    let error = export(&model, &dir.path().join("e"), &options).unwrap_err();
    assert!(error.to_string().contains("reads no images"), "{error}");
    assert_eq!(files(dir.path()), ["file"]);
}
