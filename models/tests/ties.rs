//! What reads the table of tokens, or is tied to it, by what transformers makes of the same
//! tensors (tests/fixtures/make_ties.py).
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::TensorData;
use fluxo_models::{Model, OutputOptions, Task, Tensors, tensors};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Of a folder of the reference set.
#[derive(Deserialize)]
struct Ties {
    /// Names of tensors that are one where they are tied, the one that the others take first.
    tied: Vec<Vec<String>>,
    cases: BTreeMap<String, Case>,
}

#[derive(Deserialize)]
struct Case {
    config: Map<String, Value>,
    /// Tensors that are another's, their rows rotated.
    set: BTreeMap<String, (String, usize)>,
}

fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures")
}

fn listed() -> BTreeMap<String, Ties> {
    let text = std::fs::read(fixtures().join("ties.json")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

/// The checkpoint `name` of the reference set, without those of its tensors that are `tied` to
/// another.
struct Source {
    folder: PathBuf,
    config: Map<String, Value>,
    tensors: Tensors,
}

impl Source {
    fn new(name: &str, ties: &Ties) -> Self {
        let folder = fixtures().join("hf").join(name);
        let config = std::fs::read(folder.join("config.json")).unwrap();
        let mut tensors = tensors::read(&folder.join("model.safetensors")).unwrap();
        let table = &ties.tied[0];
        for copy in &table[1..] {
            tensors.remove(copy);
        }
        Self {
            folder,
            config: serde_json::from_slice(&config).unwrap(),
            tensors,
        }
    }

    /// A checkpoint with these keys and tensors in place of its own.
    fn write(&self, keys: &Map<String, Value>, tensors: &Tensors) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let mut config = self.config.clone();
        config.extend(keys.clone());
        std::fs::write(
            dir.path().join("config.json"),
            Value::from(config).to_string(),
        )
        .unwrap();
        tensors::write(&dir.path().join("model.safetensors"), tensors).unwrap();
        dir
    }

    /// What `model` gives for the reference inputs.
    fn outputs(&self, model: &Model) -> Tensors {
        let mut inputs = tensors::read(&self.folder.join("reference.safetensors")).unwrap();
        if model.config().decoder.is_none() {
            inputs.remove("in.decoder_input_ids");
        }
        model.run(&inputs, &OutputOptions::default()).unwrap()
    }
}

fn load(dir: &Path) -> (Model, fluxo_models::checkpoint::report::LoadReport) {
    let device = fluxo_backends::device("flex").unwrap();
    Model::load(dir, None, &device).unwrap()
}

/// Row `i` of it is row `i + by` of `data`.
fn rotated(data: &TensorData, by: usize) -> TensorData {
    let mut values = data.try_to_vec::<f32>().unwrap();
    let shape = data.shape().clone();
    let row = values.len() / shape[0];
    values.rotate_left(by * row);
    TensorData::new(values, shape)
}

/// The logits of row 0 at its last position.
fn last(outputs: &Tensors) -> Vec<f32> {
    let logits = &outputs["logits"];
    let [_, seq, vocab] = logits.shape().as_slice().try_into().unwrap();
    logits.try_to_vec::<f32>().unwrap()[(seq - 1) * vocab..seq * vocab].to_vec()
}

/// Where tied tensors are stored with values of their own, each counts, whatever config.json
/// says; and the model that was loaded so is the same when it was saved and is loaded again.
#[test]
fn tensors_of_their_own_count() {
    let wanted = tensors::read(&fixtures().join("ties.safetensors")).unwrap();
    let mut worst = 0_f32;
    for (name, ties) in listed() {
        let source = Source::new(&name, &ties);
        for (case, Case { config, set }) in &ties.cases {
            let mut all = source.tensors.clone();
            for (target, (of, by)) in set {
                all.insert(target.clone(), rotated(&source.tensors[of], *by));
            }
            let dir = source.write(config, &all);
            let (model, report) = load(dir.path());
            let outputs = source.outputs(&model);
            let wanted = wanted[&format!("{name}.{case}")]
                .try_to_vec::<f32>()
                .unwrap();
            let largest = wanted
                .iter()
                .fold(1_f32, |most, value| most.max(value.abs()));
            let differences = last(&outputs).into_iter().zip(&wanted);
            let difference = differences.fold(0_f32, |most, (a, b)| most.max((a - b).abs()));
            // The bound of the reference set; float32 noise of these models is about 1e-6.
            let scaled = difference / largest;
            assert!(scaled <= 2e-5, "{name} {case}: {scaled:e}");
            worst = worst.max(scaled);

            let tied = case == "tied";
            assert_eq!(model.config().is_tied(), tied, "{name} {case}");
            let said = model.raw().0.get("tie_word_embeddings") == Some(&json!(true));
            assert_eq!(said, tied, "{name} {case}");
            // What is said to differ is what config.json ties.
            let untied = case == "untied" && !name.contains("t5");
            assert_eq!(
                report.untied.is_empty(),
                tied || untied,
                "{name} {case}: {report}"
            );

            let again = tempfile::tempdir().unwrap();
            model.save(again.path()).unwrap();
            let (saved, _) = load(again.path());
            assert_eq!(saved.config(), model.config(), "{name} {case}");
            assert_eq!(source.outputs(&saved), outputs, "{name} {case}");
        }
    }
    eprintln!("largest difference to transformers, scaled: {worst:e}");
}

/// One table for all is found under each of its names, alone or beside the others.
#[test]
fn a_table_is_found_under_each_of_its_names() {
    let mut tried = 0;
    for (name, ties) in listed() {
        let source = Source::new(&name, &ties);
        let tie = Map::from_iter([("tie_word_embeddings".to_string(), json!(true))]);
        let wanted = {
            let dir = source.write(&tie, &source.tensors);
            source.outputs(&load(dir.path()).0)
        };
        for names in &ties.tied {
            let (first, value) = source.tensors.get_key_value(&names[0]).unwrap();
            let mut every = source.tensors.clone();
            for other in names {
                let mut moved = source.tensors.clone();
                moved.remove(first);
                moved.insert(other.clone(), value.clone());
                every.insert(other.clone(), value.clone());
                let dir = source.write(&tie, &moved);
                let (model, report) = load(dir.path());
                assert!(report.unused.is_empty(), "{name} {other}: {report}");
                assert_eq!(source.outputs(&model), wanted, "{name} {other}");
                tried += 1;
            }
            let dir = source.write(&tie, &every);
            let (model, report) = load(dir.path());
            assert!(report.unused.is_empty(), "{name}: {report}");
            assert!(model.config().is_tied(), "{name}: {report}");
            assert_eq!(source.outputs(&model), wanted, "{name}");
            // What is called equal was compared; the file has each of the others' names.
            let equal = report
                .tied
                .iter()
                .filter(|tied| tied.contains("(equal to "));
            assert_eq!(equal.count(), names.len() - 1, "{name}: {report}");
        }
    }
    assert!(tried > 60, "only {tried} were tried");
}

/// A model without an output layer reads its table where only that layer's name has it, and says
/// nothing of tensors that it did not look at.
#[test]
fn a_model_without_a_head_finds_its_table_too() {
    let device = fluxo_backends::device("flex").unwrap();
    for (name, ties) in listed() {
        let source = Source::new(&name, &ties);
        let tie = Map::from_iter([("tie_word_embeddings".to_string(), json!(true))]);
        let bare = |tensors: &Tensors| {
            let dir = source.write(&tie, tensors);
            let task = Some(Task::FeatureExtraction);
            let (model, report) = Model::load(dir.path(), task, &device).unwrap();
            (source.outputs(&model), report)
        };
        let (wanted, _) = bare(&source.tensors);
        let names = &ties.tied[0];
        for other in &names[1..] {
            let mut moved = source.tensors.clone();
            let value = moved.remove(&names[0]).unwrap();
            moved.insert(other.clone(), value.clone());
            assert_eq!(bare(&moved).0, wanted, "{name} {other}");
            moved.insert(names[0].clone(), rotated(&value, 1));
            let (_, report) = bare(&moved);
            assert!(report.tied.is_empty(), "{name} {other}: {report}");
        }
    }
}
