//! The cases of `fixtures/config-keys`, and what Fluxo makes of each.

use std::path::{Path, PathBuf};

use fluxo_models::catalog::Description;
use fluxo_models::config::RawConfig;
use fluxo_models::{Model, NetworkConfig, OutputOptions, Tensors, tensors};
use fluxo_tests::fixture;
use serde_json::{Map, Value};

use super::allowed;

/// Float32 noise of these models is about 1e-6, scaled; the least effect that counts here is more.
const BOUND: f64 = 1e-5;
/// The sample of an output: values at `i * STRIDE + START` modulo its size, as the generator has
/// it.
const STRIDE: usize = 7919;
const START: usize = 13;

/// A folder of `fixtures/hf` and what is tried with its configuration.
pub struct Checkpoint {
    /// The folder's name.
    pub name: String,
    /// The outputs in the order of a row, and how many values each has in it.
    outputs: Vec<(String, usize)>,
    inputs: Tensors,
    /// What transformers gave, the unchanged file first.
    rows: Vec<Vec<f32>>,
    cases: Vec<Case>,
}

struct Case {
    key: String,
    set: Map<String, Value>,
    drop: Vec<String>,
    expected: Expected,
}

enum Expected {
    /// The values of this row.
    Row(usize),
    /// transformers refuses the file, or makes up weights.
    Refused,
}

/// A value of an output.
#[derive(Clone, Debug)]
struct Sampled {
    value: f32,
    /// The output's largest magnitude, where that is over 1.
    scale: f32,
}

/// What came of a case.
pub struct Outcome {
    /// The key that it is about.
    pub key: String,
    /// What was changed, to be read.
    pub what: String,
    /// Whether transformers' result is another than that of the unchanged file.
    pub matters: bool,
    /// Fine for one of these reasons, or a fault.
    pub verdict: Result<Fine, String>,
}

/// Why a case is fine.
pub enum Fine {
    /// The values are those of transformers but for this.
    Agrees(f64),
    /// Neither reads the file.
    BothRefuse,
    /// Only Fluxo refuses it, by name, for this reason.
    Refused(&'static str),
    /// Only transformers refuses it; Fluxo reads it for this reason.
    Read(&'static str),
}

/// Every checkpoint of the table.
pub fn read() -> Vec<Checkpoint> {
    let folder = fixture("config-keys");
    let text = std::fs::read_to_string(folder.join("cases.json")).unwrap();
    let table: Map<String, Value> = serde_json::from_str(&text).unwrap();
    let values = tensors::read(&folder.join("values.safetensors")).unwrap();
    let checkpoints = table.into_iter().filter(|(name, _)| name != "about");
    checkpoints
        .map(|(name, record)| Checkpoint::read(name, &record, &values))
        .collect()
}

impl Checkpoint {
    fn read(name: String, record: &Value, values: &Tensors) -> Self {
        let prefix = format!("{name}.");
        let inputs = values.iter().filter_map(|(path, tensor)| {
            Some((path.strip_prefix(&prefix)?.to_string(), tensor.clone()))
        });
        let width = values[&name].shape()[1];
        let flat: Vec<f32> = values[&name].iter::<f32>().collect();
        let outputs = record["outputs"].as_array().unwrap().iter().map(|output| {
            let count = output[1].as_u64().unwrap() as usize;
            (output[0].as_str().unwrap().to_string(), count)
        });
        Self {
            inputs: inputs.collect(),
            rows: flat.chunks(width).map(<[f32]>::to_vec).collect(),
            outputs: outputs.collect(),
            cases: record["cases"]
                .as_array()
                .unwrap()
                .iter()
                .map(Case::read)
                .collect(),
            name,
        }
    }

    /// The family that it is of.
    pub fn family(&self) -> &'static str {
        let raw = RawConfig::read(&self.folder().join("config.json")).unwrap();
        Description::of(raw, None).unwrap().family.name
    }

    fn folder(&self) -> PathBuf {
        fixture("hf").join(&self.name)
    }

    /// Tries every case.
    pub fn run(&self) -> Vec<Outcome> {
        let here = tempfile::tempdir().unwrap();
        let weights = self.folder().join("model.safetensors");
        std::fs::copy(weights, here.path().join("model.safetensors")).unwrap();
        let raw = RawConfig::read(&self.folder().join("config.json")).unwrap();
        // Two files that ask for the same network give the same values.
        let mut known: Vec<(NetworkConfig, Result<Vec<Sampled>, String>)> = Vec::new();
        let mut given = |patched: RawConfig| -> Result<Vec<Sampled>, String> {
            let described = Description::of(patched.clone(), None).map_err(|e| e.to_string())?;
            if let Some((_, result)) = known.iter().find(|(c, _)| *c == described.config) {
                return result.clone();
            }
            std::fs::write(here.path().join("config.json"), patched.to_json()).unwrap();
            let result = self.values(here.path());
            known.push((described.config, result.clone()));
            result
        };
        let unchanged = given(raw.clone());
        assert!(unchanged.is_ok(), "{}: {unchanged:?}", self.name);
        let outcomes = self.cases.iter().map(|case| Outcome {
            key: case.key.clone(),
            what: case.to_string(),
            matters: case.matters(),
            verdict: self.judge(case, given(case.patched(&raw))),
        });
        outcomes.collect()
    }

    /// The sample of every output of the checkpoint in `folder`.
    fn values(&self, folder: &Path) -> Result<Vec<Sampled>, String> {
        let device = fluxo_backends::device("flex").unwrap();
        let (model, _) = Model::load(folder, None, &device).map_err(|e| e.to_string())?;
        let outputs = model.run(&self.inputs, &OutputOptions::default());
        let outputs = outputs.map_err(|e| e.to_string())?;
        let mut row = Vec::new();
        for (name, count) in &self.outputs {
            let output = outputs.get(name).ok_or(format!("no output `{name}`"))?;
            let values: Vec<f32> = output.iter::<f32>().collect();
            let scale = values.iter().fold(1f32, |most, x| most.max(x.abs()));
            row.extend((0..*count).map(|i| Sampled {
                value: values[(i * STRIDE + START) % values.len()],
                scale,
            }));
        }
        Ok(row)
    }

    fn judge(&self, case: &Case, got: Result<Vec<Sampled>, String>) -> Result<Fine, String> {
        match (&case.expected, got) {
            (Expected::Row(row), Ok(got)) => {
                let worst = difference(&got, &self.rows[*row]);
                if worst <= BOUND {
                    Ok(Fine::Agrees(worst))
                } else {
                    Err(format!("differs by {worst:.1e}, scaled"))
                }
            }
            (Expected::Refused, Err(_)) => Ok(Fine::BothRefuse),
            (Expected::Row(_), Err(message)) => match allowed::refused(&message) {
                Some(reason) => Ok(Fine::Refused(reason)),
                None => Err(format!("refused, which transformers reads: {message}")),
            },
            (Expected::Refused, Ok(_)) => {
                match allowed::read(&self.name, &case.key, &case.to_string()) {
                    Some(reason) => Ok(Fine::Read(reason)),
                    None => Err("read, which transformers refuses".into()),
                }
            }
        }
    }
}

impl Case {
    fn read(value: &Value) -> Self {
        let drop = value["drop"].as_array().into_iter().flatten();
        Self {
            key: value["key"].as_str().unwrap().to_string(),
            set: value["set"].as_object().cloned().unwrap_or_default(),
            drop: drop.map(|key| key.as_str().unwrap().to_string()).collect(),
            expected: match (&value["row"], &value["error"]) {
                (Value::Number(row), _) => Expected::Row(row.as_u64().unwrap() as usize),
                (_, Value::String(_)) => Expected::Refused,
                _ => Expected::Row(0),
            },
        }
    }

    /// Whether transformers' result is another, or there is none and not for want of a value.
    fn matters(&self) -> bool {
        match self.expected {
            Expected::Row(row) => row > 0,
            Expected::Refused => !self.set.values().any(Value::is_null),
        }
    }

    /// `raw` with the case's changes; a dot leads into a section.
    fn patched(&self, raw: &RawConfig) -> RawConfig {
        fn within<'a>(
            map: &'a mut Map<String, Value>,
            path: &'a str,
        ) -> (&'a mut Map<String, Value>, &'a str) {
            match path.split_once('.') {
                Some((section, key)) => (map[section].as_object_mut().unwrap(), key),
                None => (map, path),
            }
        }
        let mut map = raw.0.clone();
        for path in &self.drop {
            let (map, key) = within(&mut map, path);
            map.remove(key);
        }
        for (path, value) in &self.set {
            let (map, key) = within(&mut map, path);
            map.insert(key.to_string(), value.clone());
        }
        RawConfig(map)
    }
}

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let set = self
            .set
            .iter()
            .map(|(key, value)| format!("{key} = {value}"));
        let dropped = self.drop.iter().map(|key| format!("no {key}"));
        f.write_str(&dropped.chain(set).collect::<Vec<_>>().join(", "))
    }
}

/// The largest difference, divided by the output's largest magnitude where that is over 1.
fn difference(got: &[Sampled], wanted: &[f32]) -> f64 {
    let errors = got.iter().zip(wanted).map(|(got, wanted)| {
        let error = f64::from((got.value - wanted).abs() / got.scale);
        // `max` would drop what is no number.
        if error.is_nan() { f64::INFINITY } else { error }
    });
    errors.fold(0f64, f64::max)
}
