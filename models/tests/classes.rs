//! Parts of models that are saved alone, and classes with more heads than are read, against
//! transformers' own outputs (`make_references.py classes`).
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use burn::tensor::TensorData;
use fluxo_models::{LoadReport, Model, OutputOptions, Task, Tensors, tensors};

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/fixtures/classes")
        .join(name)
}

fn load(name: &str, task: Option<Task>) -> (Model, LoadReport) {
    let device = fluxo_backends::device("flex").unwrap();
    Model::load(&folder(name), task, &device).unwrap()
}

/// The largest difference, over outputs over 1 scaled; padding is passed over.
fn difference(got: &TensorData, wanted: &TensorData, mask: Option<&[i64]>) -> f32 {
    assert_eq!(got.shape(), wanted.shape());
    let [got, wanted] = [got, wanted].map(|data| data.try_to_vec::<f32>().unwrap());
    let largest = wanted
        .iter()
        .fold(1_f32, |most, value| most.max(value.abs()));
    let kept = |at: usize| match mask {
        Some(mask) if got.len().is_multiple_of(mask.len()) => {
            mask[at * mask.len() / got.len()] == 1
        }
        _ => true,
    };
    let pairs = got.iter().zip(&wanted).enumerate();
    let pairs = pairs.filter(|(at, _)| kept(*at));
    pairs.fold(0_f32, |most, (_, (a, b))| most.max((a - b).abs())) / largest
}

/// `outputs` are those of the reference `name`.
fn agrees(name: &str, reference: &Tensors, outputs: &Tensors) {
    let mask = reference.get("in.attention_mask");
    let mask = mask.map(|mask| mask.try_to_vec::<i64>().unwrap());
    let mut compared = 0;
    for (output, wanted) in reference {
        let Some(output) = output.strip_prefix("out.").filter(|o| *o != "greedy") else {
            continue;
        };
        let Some(got) = outputs.get(output) else {
            // With a head the model gives no state.
            assert_eq!(output, "last_hidden_state", "{name}");
            continue;
        };
        let rows = wanted.shape()[0];
        let by_token = wanted.num_elements() / rows >= 11;
        let mask = mask
            .as_deref()
            .filter(|_| by_token && output != "pooler_output");
        let difference = difference(got, wanted, mask);
        // The bound of the reference set; float32 noise of these models is about 1e-6.
        assert!(difference <= 2e-5, "{name} {output}: {difference:e}");
        compared += 1;
    }
    assert!(compared > 0, "{name}");
}

#[test]
fn each_gives_what_transformers_gives_and_is_saved_so() {
    let device = fluxo_backends::device("flex").unwrap();
    for (name, task, left_out) in [
        ("clip-text", Task::FeatureExtraction, None),
        ("clip-text-projection", Task::FeatureExtraction, None),
        ("clip-vision", Task::ImageFeatureExtraction, None),
        ("clip-vision-projection", Task::ImageFeatureExtraction, None),
        ("t5-encoder", Task::FeatureExtraction, None),
        ("electra-pretraining", Task::TokenClassification, None),
        (
            "bert-pretraining",
            Task::FillMask,
            Some("cls.seq_relationship.weight"),
        ),
        (
            "albert-pretraining",
            Task::FillMask,
            Some("sop_classifier.classifier.weight"),
        ),
        (
            "gpt2-double-heads",
            Task::TextGeneration,
            Some("multiple_choice_head.summary.weight"),
        ),
    ] {
        let reference = tensors::read(&folder(name).join("reference.safetensors")).unwrap();
        let request = OutputOptions {
            hidden_states: true,
            taps: false,
        };
        let (model, report) = load(name, None);
        assert_eq!(model.task(), task, "{name}");
        let outputs = model.run(&reference, &request).unwrap();
        agrees(name, &reference, &outputs);
        match left_out {
            None => assert!(report.unused.is_empty(), "{name}: {report}"),
            Some(tensor) => {
                let named = report.unused.iter().any(|unused| unused == tensor);
                assert!(named, "{name}: {report}");
                let said = &report.left_out[0];
                assert!(said.contains(" is loaded as "), "{name}: {said}");
            }
        }
        let dir = tempfile::tempdir().unwrap();
        model.save(dir.path()).unwrap();
        let (saved, _) = Model::load(dir.path(), None, &device).unwrap();
        assert_eq!(saved.config(), model.config(), "{name}");
        assert_eq!(saved.run(&reference, &request).unwrap(), outputs, "{name}");
    }
}

/// Version 5 writes a tower's names without the start that older files have.
#[test]
fn a_towers_names_may_start_with_its_own() {
    let device = fluxo_backends::device("flex").unwrap();
    for (name, start) in [
        ("clip-text", "text_model."),
        ("clip-vision", "vision_model."),
    ] {
        let reference = tensors::read(&folder(name).join("reference.safetensors")).unwrap();
        let stored = tensors::read(&folder(name).join("model.safetensors")).unwrap();
        let older = stored.into_iter().map(|(name, data)| {
            assert!(!name.starts_with(start), "{name}");
            (format!("{start}{name}"), data)
        });
        let dir = tempfile::tempdir().unwrap();
        tensors::write(&dir.path().join("model.safetensors"), &older.collect()).unwrap();
        let config = "config.json";
        std::fs::copy(folder(name).join(config), dir.path().join(config)).unwrap();
        let (model, _) = Model::load(dir.path(), None, &device).unwrap();
        let request = OutputOptions::default();
        let outputs = model.run(&reference, &request).unwrap();
        assert_eq!(
            outputs,
            load(name, None).0.run(&reference, &request).unwrap()
        );
    }
}

/// `--task` takes the class of config.json where that does the task, and another where not.
#[test]
fn a_task_may_be_chosen() {
    let task = Some(Task::FeatureExtraction);
    let (model, _) = load("clip-text", task);
    assert_eq!(model.raw().architecture(), Some("CLIPTextModel"));
    let (model, report) = load("bert-pretraining", task);
    assert_eq!(model.raw().architecture(), Some("BertModel"));
    assert!(report.left_out.is_empty(), "{report}");
}
