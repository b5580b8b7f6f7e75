//! One module: exported, checked, run everywhere, compared.

use std::collections::BTreeMap;

use burn::tensor::{Device, TensorData};
use fluxo_onnx::{Args, Error, OnnxModel, Options, export};

use super::common::{Named, Runtime, floats};
use super::generate::{self, Case};
use super::judge::{Judge, Tensors};
use super::program::{Program, Weights};
use super::quiet::attempt;
use super::value::{Rank, Value, each};

/// What became of a module.
pub enum Outcome {
    /// Burn, the checker and ONNX Runtime agree.
    Agrees(Embedded),
    /// The exporter says that it has no form for it.
    Refused(String),
    /// Burn itself does not run it at the sizes of a trace.
    Invalid,
    Wrong(String),
}

/// What the embedded runtimes made of a file that ONNX Runtime runs rightly.
#[derive(Default)]
pub struct Embedded {
    /// Those that do not run it, with their messages.
    pub absent: Vec<(&'static str, String)>,
    /// Those that compute something else.
    pub differs: Vec<(&'static str, String)>,
}

/// Float32's noise of a program this long, with room: the bound for a whole model.
const BOUND: f64 = 2e-5;

/// Inputs and outputs by name, at every set of sizes.
fn sets(case: &Case, program: &Program) -> Vec<(Tensors, Tensors)> {
    let inputs = case.inputs.iter().map(|data| {
        let names = program.inputs.iter().map(|input| input.name.clone());
        names.zip(data.iter().cloned()).collect()
    });
    let outputs = case.values.iter().map(|values| {
        let outputs = program.outputs.iter().enumerate();
        outputs
            .map(|(index, output)| (format!("y{index}"), values[*output].data()))
            .collect()
    });
    inputs.zip(outputs).collect()
}

/// Exports and compares `program`, whose values are the case's.
pub fn run(judge: &mut Judge, case: &Case, program: &Program) -> Outcome {
    let live = program.clone().pruned();
    let forward = |weights: &Weights, args: &mut Args| live.forward(weights, args);
    let exported = export(&live.weights, &live.spec(), &Options::default(), forward);
    let model = match exported {
        Ok(model) => model,
        Err(error @ (Error::Unsupported(_) | Error::NoClosedForm { .. } | Error::Diverges(_))) => {
            return Outcome::Refused(error.to_string());
        }
        Err(Error::Forward { .. }) => return Outcome::Invalid,
        Err(error) => return Outcome::Wrong(format!("export: {error}")),
    };
    let bytes = match model.to_bytes() {
        Ok(bytes) => bytes,
        Err(error) => return Outcome::Wrong(format!("bytes: {error}")),
    };
    if let Some(folder) = std::env::var_os("FLUXO_KEEP_ONNX") {
        // For a look at the file: the last one tried is the shrunk one.
        let path = std::path::Path::new(&folder).join("random.onnx");
        std::fs::write(path, &bytes).unwrap();
    }
    let sets = sets(case, program);
    let ruling = judge.rule(&bytes, &sets);
    if let Some(complaint) = ruling.checker {
        return Outcome::Wrong(format!("checker: {complaint}"));
    }
    for (index, run) in ruling.runs.into_iter().enumerate() {
        if let Some(fault) = fault(run, case, program, index) {
            return Outcome::Wrong(format!("ort at {:?}: {fault}", case.sizes[index]));
        }
    }
    Outcome::Agrees(embedded(&bytes, &model, case, program, &sets))
}

/// What is wrong with a run at one set of sizes.
fn fault(run: Result<f64, String>, case: &Case, program: &Program, at: usize) -> Option<String> {
    match run {
        Ok(gap) if gap <= BOUND => None,
        // Much may be the program's own: then Burn differs from itself as much.
        Ok(gap) if gap <= BOUND.max(30.0 * noise(case, program, at)) => None,
        Ok(gap) => Some(format!("differs by {gap:.1e}")),
        Err(message) => Some(message),
    }
}

fn embedded(
    bytes: &[u8],
    model: &OnnxModel,
    case: &Case,
    program: &Program,
    sets: &[(Tensors, Tensors)],
) -> Embedded {
    let mut found = Embedded::default();
    for (runtime, name) in [(Runtime::Tract, "tract"), (Runtime::Rten, "rten")] {
        for (index, (inputs, wanted)) in sets.iter().enumerate() {
            let got = match in_time(runtime, bytes, model, inputs) {
                Ok(got) => got,
                Err(message) => {
                    found.absent.push((name, message));
                    break;
                }
            };
            let mut faults = got.into_iter().filter_map(|(output, data)| {
                let gap = distance(&wanted[&output], &data);
                fault(gap, case, program, index)
            });
            if let Some(fault) = faults.next() {
                let sizes = &case.sizes[index];
                found
                    .differs
                    .push((name, format!("{name} at {sizes:?}: {fault}")));
                break;
            }
        }
    }
    found
}

/// A run in a thread of its own: tract's optimiser does not always come to an end.
fn in_time(
    runtime: Runtime,
    bytes: &[u8],
    model: &OnnxModel,
    inputs: &Tensors,
) -> Result<Named, String> {
    let (bytes, model, inputs) = (bytes.to_vec(), model.clone(), inputs.clone());
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let got = attempt(|| runtime.run(&bytes, &model, &inputs));
        let _ = sender.send(got.unwrap_or_else(|| Err("it panics".into())));
    });
    let limit = std::time::Duration::from_secs(60);
    let got = receiver.recv_timeout(limit);
    got.unwrap_or_else(|_| Err("it does not come to an end".into()))
}

fn distance(wanted: &TensorData, got: &TensorData) -> Result<f64, String> {
    if wanted.shape() != got.shape() {
        return Err(format!(
            "shape {:?} became {:?}",
            wanted.shape(),
            got.shape()
        ));
    }
    let magnitude = wanted.iter::<f64>().map(f64::abs).fold(1.0, f64::max);
    let gaps = wanted
        .iter::<f64>()
        .zip(got.iter::<f64>())
        .map(|(a, b)| (a - b).abs());
    Ok(gaps.fold(0.0, |worst, gap| {
        if gap > worst || gap.is_nan() {
            gap
        } else {
            worst
        }
    }) / magnitude)
}

/// How far the outputs move where every step's result is off by a rounding or two.
fn noise(case: &Case, program: &Program, at: usize) -> f64 {
    let device = Device::flex();
    let inputs = program.inputs.iter().zip(&case.inputs[at]);
    let inputs = inputs
        .map(|(input, data)| generate::value(input, data, &device))
        .collect();
    let mut seed = 0;
    let stirred = |value| match value {
        Value::F(rank) => {
            seed += 1;
            Value::F(each!(rank, t => {
                let noise = floats(&t.dims(), seed);
                let noise = burn::tensor::Tensor::from_data(noise, &t.device());
                t.clone() + t * noise * 1e-7
            }))
        }
        other => other,
    };
    let moved = program.values(&program.weights, &device, inputs, stirred);
    let gap = |output: &usize| distance(&case.values[at][*output].data(), &moved[*output].data());
    program
        .outputs
        .iter()
        .map(|output| gap(output).unwrap_or(0.0))
        .fold(0.0, f64::max)
}

/// Whether something is wrong, with an embedded runtime too, and what.
pub fn complaint(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::Wrong(message) => Some(message.clone()),
        Outcome::Agrees(found) => found.differs.first().map(|(_, message)| message.clone()),
        Outcome::Refused(_) | Outcome::Invalid => None,
    }
}

/// The first value that is wrong when it is the only output.
pub fn shrunk(judge: &mut Judge, case: &Case) -> String {
    let first = case.program.inputs.len();
    let total = first + case.program.steps.len();
    for output in first..total {
        let program = Program {
            outputs: vec![output],
            ..case.program.clone()
        };
        if let Some(message) = complaint(&run(judge, case, &program)) {
            return format!("{message}\n{}", program.pruned().code());
        }
    }
    let code = case.program.clone().pruned().code();
    format!("only with all outputs together:\n{code}")
}

/// Refusals by what they say, without the numbers.
pub fn kind_of(message: &str) -> String {
    let head: String = message.chars().take(200).collect();
    let words = head
        .split_whitespace()
        .filter(|word| !word.chars().any(|c| c.is_ascii_digit()));
    words.take(9).collect::<Vec<_>>().join(" ")
}

/// Counts by name.
pub type Counts = BTreeMap<String, usize>;
