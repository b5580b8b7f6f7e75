//! One row after the other: exported, run, compared.

use burn::module::Module;
use burn::tensor::{Device, TensorData};
use fluxo_onnx::{Args, Dim, Input, Kind, OnnxModel, Options, Outputs, Spec, evaluate, export};

use super::common::{self, Runtime};
use super::judge::{Judge, Stir, Tensors};
use super::list::Sink;
use super::take::{Given, Taken, inputs};

/// Differences are absolute, over the output's largest magnitude where that is over 1: the
/// issue's measure and bound.
const BOUND: f64 = 2e-5;

/// Sizes that no trace has: traces are at 5, 7, 4 and 12 for the first size, 11, 13, 10 and 24
/// for the second and so on. The last has all sizes alike, the first as small as a window takes.
const SIZES: [[(&str, usize); 8]; 5] = [
    sizes([1, 1, 1, 5, 5, 5, 2, 1]),
    sizes([2, 9, 3, 14, 6, 9, 3, 2]),
    sizes([3, 2, 15, 9, 15, 8, 6, 15]),
    sizes([1, 33, 8, 8, 8, 16, 8, 3]),
    sizes([6, 6, 6, 6, 6, 6, 6, 6]),
];

const fn sizes(at: [usize; 8]) -> [(&'static str, usize); 8] {
    [
        ("batch", at[0]),
        ("sequence", at[1]),
        ("memory", at[2]),
        ("time", at[3]),
        ("height", at[4]),
        ("width", at[5]),
        ("frames", at[6]),
        ("rows", at[7]),
    ]
}

/// What was measured of one module.
pub struct Row {
    pub name: &'static str,
    pub shapes: String,
    /// The largest difference, or a message: ONNX Runtime, tract, rten.
    pub cells: [Result<f64, String>; 3],
    /// Where a cell is a message: what the file for that runtime alone gives in it.
    pub own: [Option<f64>; 3],
    pub checker: Option<String>,
}

pub const RUNTIMES: [&str; 3] = ["ort", "tract", "rten"];

impl Row {
    /// What must not be: a checker's complaint, a difference, or a file that ONNX Runtime does
    /// not run. What another runtime cannot load is a message in its cell.
    pub fn fault(&self) -> Option<String> {
        let name = self.name;
        if let Some(complaint) = &self.checker {
            return Some(format!("{name}: checker: {complaint}"));
        }
        let own = self.own.iter().flatten().map(|gap| Ok(*gap));
        let own: Vec<Result<f64, String>> = own.collect();
        for (runtime, cell) in RUNTIMES
            .iter()
            .zip(&self.cells)
            .chain(RUNTIMES.iter().zip(&own))
        {
            match cell {
                Ok(gap) if *gap > BOUND => return Some(format!("{name}: {runtime}: {gap:.1e}")),
                Err(message) if *runtime == "ort" => return Some(format!("{name}: {message}")),
                _ => {}
            }
        }
        None
    }
}

pub struct Table {
    judge: Judge,
    pub rows: Vec<Row>,
}

impl Table {
    pub fn new(judge: Judge) -> Self {
        let rows = Vec::new();
        Self { judge, rows }
    }
}

impl Sink for Table {
    fn row<M: Module, I: Given, O: Taken>(
        &mut self,
        name: &'static str,
        module: M,
        shapes: &[&'static str],
        forward: impl Fn(&M, I) -> O,
    ) {
        let module = module.valid().map(&mut Stir);
        let described = inputs::<I>(shapes);
        let mut spec = Spec::new("module");
        for input in &described {
            spec = spec.input(input.clone());
        }
        let run = |module: &M, args: &mut Args| {
            let out = forward(module, I::take(args, 0));
            out.put(Outputs::new(), 0)
        };
        let mut row = Row {
            name,
            shapes: shapes.join("; "),
            cells: [Ok(0.0), Ok(0.0), Ok(0.0)],
            own: [None; 3],
            checker: None,
        };
        let model = match export(&module, &spec, &Options::default(), run) {
            Ok(model) => model,
            Err(error) => {
                row.cells = [(); 3].map(|()| Err(error.to_string()));
                self.rows.push(row);
                return;
            }
        };
        let bytes = model.to_bytes().unwrap();
        let sets: Vec<(Tensors, Tensors)> = SIZES
            .iter()
            .map(|sizes| {
                let inputs = values(&described, sizes);
                let outputs = evaluate(&module, &Device::flex(), &inputs, run).unwrap();
                (inputs, outputs.into_iter().collect())
            })
            .collect();
        let ruling = self.judge.rule(&bytes, &sets);
        row.checker = ruling.checker;
        row.cells[0] = worst(ruling.runs.into_iter());
        let all = |runtime: Runtime, model: &OnnxModel| {
            let bytes = model.to_bytes().unwrap();
            worst(sets.iter().map(|(inputs, wanted)| {
                let got = embedded(runtime, &bytes, model, inputs)?;
                let gaps = got.iter().map(|(name, data)| gap(&wanted[name], data));
                gaps.reduce(|a, b| Ok(a?.max(b?))).unwrap_or(Ok(0.0))
            }))
        };
        for (index, runtime) in common::ALL.into_iter().enumerate() {
            let cell = all(runtime, &model);
            if cell.is_err() {
                let options = Options::for_target(RUNTIMES[index + 1].parse().unwrap());
                let model = export(&module, &spec, &options, run).unwrap();
                row.own[index + 1] = all(runtime, &model).ok();
            }
            row.cells[index + 1] = cell;
        }
        self.rows.push(row);
    }
}

/// A run that may panic: then the panic is the message.
fn embedded(
    runtime: Runtime,
    bytes: &[u8],
    model: &fluxo_onnx::OnnxModel,
    inputs: &Tensors,
) -> Result<common::Named, String> {
    let run = std::panic::AssertUnwindSafe(|| runtime.run(bytes, model, inputs));
    std::panic::catch_unwind(run).unwrap_or_else(|_| Err("it panics".into()))
}

fn worst(runs: impl Iterator<Item = Result<f64, String>>) -> Result<f64, String> {
    runs.reduce(|a, b| Ok(a?.max(b?))).unwrap()
}

/// The measure; text says why there is none.
pub fn gap(wanted: &TensorData, got: &TensorData) -> Result<f64, String> {
    if wanted.shape() != got.shape() {
        let (wanted, got) = (wanted.shape(), got.shape());
        return Err(format!("shape {wanted:?} became {got:?}"));
    }
    let (mut worst, mut magnitude) = (0.0f64, 1.0f64);
    for (a, b) in wanted.iter::<f64>().zip(got.iter::<f64>()) {
        if a != b && !(a.is_nan() && b.is_nan()) {
            let gap = (a - b).abs();
            worst = worst.max(if gap.is_nan() { f64::INFINITY } else { gap });
        }
        if a.is_finite() {
            magnitude = magnitude.max(a.abs());
        }
    }
    Ok(worst / magnitude)
}

/// Values for the inputs at these sizes: floats in -2..2, integers in 0..6.
fn values(inputs: &[Input], sizes: &[(&str, usize)]) -> Tensors {
    let size = |dim: &Dim| match dim {
        Dim::Fixed(size) => *size,
        Dim::Size(name) => sizes.iter().find(|(size, _)| size == name).unwrap().1,
        Dim::Sum(_) | Dim::Times(..) => unreachable!("no row has a sum"),
    };
    let tensor = |(seed, input): (usize, &Input)| {
        let shape: Vec<usize> = input.dims.iter().map(size).collect();
        let seed = seed as u64 + 1;
        let data = match input.kind {
            Kind::Float => common::floats(&shape, seed),
            Kind::Int => common::ints(&shape, 0, 6, seed),
            Kind::Bool => common::flags(&shape, seed),
        };
        (input.name.clone(), data)
    };
    inputs.iter().enumerate().map(tensor).collect()
}
