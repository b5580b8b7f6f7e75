//! Burn's own exporter (`burn-onnx`, feature `export`) on Fluxo's list of burn-nn's modules.
//!
//! `cargo run -- FOLDER` exports every row with open sizes, or with fixed ones where that fails,
//! and writes the file and sets of inputs with Burn's outputs; `measure.py FOLDER` runs those in
//! ONNX Runtime and prints `found.tsv`.

#[path = "../../../onnx/tests/modules/list/mod.rs"]
mod list;
mod sample;
mod store;

use std::path::PathBuf;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Distribution, Tensor};
use burn_onnx::export::{AxisSpec, ExportError, InputSpec, OnnxExporter, OnnxModel};
use sample::{Given, Taken};

/// The two traces that `export_dynamic` compares; every named size differs.
const TRACES: [usize; 2] = [7, 12];
/// The sizes of `onnx/tests/modules/measure.rs`: batch, sequence, memory, time, height, width,
/// frames, rows.
const SIZES: [[usize; 8]; 5] = [
    [1, 1, 1, 5, 5, 5, 2, 1],
    [2, 9, 3, 14, 6, 9, 3, 2],
    [3, 2, 15, 9, 15, 8, 6, 15],
    [1, 33, 8, 8, 8, 16, 8, 3],
    [6, 6, 6, 6, 6, 6, 6, 6],
];
/// The first trace's sizes, for a file of fixed sizes.
const FIXED: [usize; 8] = [7, 9, 11, 13, 15, 17, 19, 21];
const NAMES: [&str; 8] = [
    "batch", "sequence", "memory", "time", "height", "width", "frames", "rows",
];

struct Upstream {
    folder: PathBuf,
}

/// A number, or the named size.
fn shape(text: &str, size: impl Fn(usize) -> usize) -> Vec<usize> {
    let dim = |dim: &str| match NAMES.iter().position(|name| *name == dim) {
        Some(index) => size(index),
        None => dim.parse().unwrap(),
    };
    text.split(' ').map(dim).collect()
}

impl list::Sink for Upstream {
    fn row<M: Module, I: Given, O: Taken>(
        &mut self,
        name: &'static str,
        module: M,
        shapes: &[&'static str],
        forward: impl Fn(&M, I) -> O,
    ) {
        let device = Device::flex();
        let module = module.valid().map(&mut Stir);
        let trace = |index: usize| -> I {
            let at: Vec<_> = shapes
                .iter()
                .map(|text| shape(text, |size| TRACES[index] + 2 * size))
                .collect();
            I::sample(&at, &device)
        };
        let axis = |text: &str| if NAMES.contains(&text) { AxisSpec::dynamic(text) } else { AxisSpec::Static };
        let specs: Vec<InputSpec> = shapes
            .iter()
            .map(|text| InputSpec::new(text.split(' ').map(axis).collect::<Vec<_>>()))
            .collect();
        // A copy: its capture moves running statistics of the caller's module along.
        let open = attempt(|| {
            let run = |m: &M, x| forward(m, x);
            OnnxExporter::new().export_dynamic(&module.valid(), trace(0), trace(1), &specs, run)
        });
        let fixed = || attempt(|| OnnxExporter::new().export(&module.valid(), trace(0), &forward));
        let (model, all, word) = match (open, fixed) {
            (Ok(model), _) => (model, SIZES.to_vec(), "OPEN".to_string()),
            (Err(error), fixed) => match fixed() {
                Ok(model) => (model, vec![FIXED], format!("FIXED {error}")),
                Err(error) => return println!("{name}\t{error}"),
            },
        };
        let folder = self.folder.join(name.replace(' ', "_"));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("model.onnx"), model.as_bytes()).unwrap();
        for (index, sizes) in all.iter().enumerate() {
            let at: Vec<_> = shapes
                .iter()
                .map(|text| shape(text, |size| sizes[size]))
                .collect();
            let inputs = I::sample(&at, &device);
            let given = inputs.clone().read();
            let outputs = forward(&module, inputs).read();
            store::write(&folder.join(format!("{index}.bin")), &given, &outputs);
        }
        println!("{name}\t{word}");
    }
}

fn attempt(export: impl FnOnce() -> Result<OnnxModel, ExportError>) -> Result<OnnxModel, String> {
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(export)) {
        Ok(exported) => exported.map_err(|error| error.to_string()),
        Err(_) => Err("it panics".into()),
    }
}

/// Adds to every weight, so that none is 0 or 1 everywhere: a lost one shows.
struct Stir;

impl ModuleMapper for Stir {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|tensor| {
            let noise = Distribution::Uniform(0.05, 0.45);
            let noise = Tensor::random(tensor.dims(), noise, &tensor.device());
            tensor + noise
        })
    }
}

fn main() {
    std::panic::set_hook(Box::new(|_| {}));
    let folder = std::env::args().nth(1).expect("a folder to write into");
    let folder = PathBuf::from(folder);
    list::all(&mut Upstream { folder });
}
