//! Saved models come back bit for bit, in the files that transformers itself writes.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::PathBuf;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Distribution, Tensor, TensorData};
use fluxo_models::head::OutputConfig;
use fluxo_models::{Model, Network, NewModelOptions, catalog, tensors};

/// The values of all parameters by path.
fn weights(network: &Network) -> BTreeMap<String, TensorData> {
    #[derive(Default)]
    struct Weights {
        path: Vec<String>,
        found: BTreeMap<String, TensorData>,
    }
    impl ModuleVisitor for Weights {
        fn enter_module(&mut self, name: &str, _kind: &str) {
            self.path.push(name.to_string());
        }
        fn exit_module(&mut self, _name: &str, _kind: &str) {
            self.path.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.found
                .insert(self.path.join("."), param.val().to_data());
        }
    }
    let mut weights = Weights::default();
    network.visit(&mut weights);
    weights.found
}

/// Sets vectors to random values: fresh biases are all 0 and gains all 1, so that exchanged ones
/// would not show.
struct Vectors;

impl ModuleMapper for Vectors {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        match D {
            1 => param.map(|values| values.random_like(Distribution::Default)),
            _ => param,
        }
    }
}

/// Every family with each of its heads.
fn models() -> impl Iterator<Item = (String, Model)> {
    let device = fluxo_backends::device("flex").unwrap();
    let classes = catalog::FAMILIES
        .iter()
        .flat_map(|family| family.tasks().map(move |task| (family.name, task)));
    classes.map(move |(family, task)| {
        let settings = NewModelOptions {
            task: Some(task),
            ..NewModelOptions::default()
        };
        let mut model = Model::new(family, &settings, 3, &device).unwrap();
        model.network = model.network.map(&mut Vectors);
        (format!("{family} {task}"), model)
    })
}

/// Through the published layout and back.
#[test]
fn a_saved_model_is_loaded_bit_for_bit() {
    let device = fluxo_backends::device("flex").unwrap();
    let mut tried = 0;
    for (name, model) in models() {
        let task = model.task();
        let dir = tempfile::tempdir().unwrap();
        model.save(dir.path()).unwrap();
        let (loaded, report) = Model::load(dir.path(), None, &device).unwrap();
        assert_eq!(loaded.task(), task, "{name}");
        assert_eq!(loaded.config(), model.config(), "{name}");
        assert!(report.unused.is_empty(), "{name}: {:?}", report.unused);
        let (saved, loaded) = (weights(&model.network), weights(&loaded.network));
        assert!(saved.keys().eq(loaded.keys()), "{name}");
        for (path, values) in &saved {
            assert_eq!(values, &loaded[path], "{name} {path}");
        }
        tried += 1;
    }
    assert!(tried >= 100, "only {tried} were tried");
}

/// One table for the embedding and the head, in memory and on disk, where the configuration
/// ties them; two where it does not.
#[test]
fn tied_embeddings_are_one_tensor() {
    let device = fluxo_backends::device("flex").unwrap();
    let mut tried = [0, 0];
    for family in catalog::FAMILIES {
        for tied in ["true", "false"] {
            let set = [("tie_word_embeddings", tied), ("vocab_size", "251")];
            let settings = NewModelOptions {
                set: set.map(|(k, v)| (k.to_string(), v.to_string())).into(),
                ..NewModelOptions::default()
            };
            let Ok(model) = Model::new(family.name, &settings, 3, &device) else {
                continue; // the family has no choice
            };
            let Some(head) = &model.config().head else {
                continue;
            };
            let is_tied = matches!(head.output, OutputConfig::Tied { .. });
            assert_eq!(is_tied, tied == "true", "{}", family.name);
            let of_vocab = |shape: &[usize]| shape.len() == 2 && shape.contains(&251);
            let own = weights(&model.network);
            let own: Vec<_> = own
                .iter()
                .filter(|(_, data)| of_vocab(data.shape()))
                .collect();
            let has_output = own.iter().any(|(path, _)| *path == "head.output.weight");
            assert_eq!(has_output, !is_tied, "{}", family.name);
            let dir = tempfile::tempdir().unwrap();
            model.save(dir.path()).unwrap();
            let saved = tensors::read(&dir.path().join("model.safetensors")).unwrap();
            let saved = saved.values().filter(|data| of_vocab(data.shape()));
            assert_eq!(saved.count(), own.len(), "{}", family.name);
            tried[usize::from(is_tied)] += 1;
        }
    }
    assert!(tried.iter().all(|tried| *tried > 10), "{tried:?}");
}

/// What transformers wrote is written again: the same names, the same bits. But for one tensor
/// that only its pretraining reads.
#[test]
fn a_published_file_is_saved_as_it_was() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/hf");
    let device = fluxo_backends::device("flex").unwrap();
    let mut tried = 0;
    for entry in std::fs::read_dir(root).unwrap() {
        let folder = entry.unwrap().path();
        let dir = tempfile::tempdir().unwrap();
        let (model, report) = Model::load(&folder, None, &device).unwrap();
        let folder_name = folder.display();
        let mask = |name: &&String| name.ends_with("embeddings.mask_token");
        let unused = &report.unused;
        assert!(
            unused.iter().all(|name| mask(&name)),
            "{folder_name}: {unused:?}"
        );
        model.save(dir.path()).unwrap();
        let file = "model.safetensors";
        let [mut published, saved] =
            [folder.join(file), dir.path().join(file)].map(|path| tensors::read(&path).unwrap());
        published.retain(|name, _| !unused.contains(name));
        assert!(published.keys().eq(saved.keys()), "{folder_name}");
        for (name, tensor) in &published {
            assert_eq!(tensor, &saved[name], "{folder_name} {name}");
        }
        tried += 1;
    }
    assert!(tried > 55, "only {tried} were tried");
}
