//! Any Burn module held to the file that it exports: in the runtimes that are here, at sizes that no
//! recording had, beside the module itself and within its own measured rounding.

use std::collections::BTreeMap;
use std::ops::Range;

use burn::module::Module;
use burn::tensor::{DType, TensorData};
use fluxo_backends::kernels::unit;
use fluxo_onnx::{Args, Kind as InputKind, Options, Outputs, Spec, evaluate, evaluate_in_double};
use fluxo_support::temporary::Folder;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::Tensors;
use crate::compare::{Judging, compare};
use crate::error::io;
use crate::error::{Error, Result};
use crate::reference::{self, Noise, RUNS, Reference, explained, nudged};
use crate::report::{Report, Skipped};
use crate::runner::{Label, RUNTIMES, Replay, Runner, load};

/// The sizes that are tried, a row a set and a column a size in order; the exporter records at
/// others. The smallest of all come before them.
const SIZES: [[usize; 4]; 4] = [
    [3, 6, 10, 14],
    [8, 16, 22, 18],
    [18, 33, 27, 21],
    [1, 130, 97, 40],
];

/// The most values that all inputs of a set hold.
const MOST: usize = 1 << 18;

/// How a module is held to its file.
#[derive(Debug, Clone, Default)]
pub struct ModuleCheck {
    /// How it is exported.
    pub options: Options,
    /// What whole numbers an input takes, by name: 0 and 1 where nothing is said.
    pub integers: BTreeMap<String, Range<i64>>,
    /// The backends beside flex on which the module runs, too.
    pub on: Vec<String>,
    /// Sizes that are tried beside the built-in ones, by name.
    pub sizes: Vec<BTreeMap<String, usize>>,
}

/// Exports `forward` of `module`, runs the file in every runtime that is here at sizes that no
/// recording had (1 and large ones among them), and compares it with the module in float64, within
/// 4 times what its own rounding explains.
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use fluxo_onnx::{Dim, Input, Outputs, Spec};
///
/// let layer: Linear = LinearConfig::new(4, 3).init(&fluxo_backends::device("flex").unwrap());
/// let spec = Spec::new("layer").input(Input::float("x", ["batch".into(), Dim::Fixed(4)]));
/// let report = fluxo_verify::verify_module(&layer, &spec, |layer, args| {
///     Outputs::new().float("y", layer.forward(args.float::<2>("x")))
/// });
/// let report = report.unwrap();
/// assert!(report.agrees(), "{report}");
/// ```
///
/// # Errors
/// When it does not export, no runtime is here, or the module runs at none of the sizes.
pub fn verify_module<M: Module>(
    module: &M,
    spec: &Spec,
    forward: impl Fn(&M, &mut Args) -> Outputs,
) -> Result<Report> {
    ModuleCheck::default().run(module, spec, forward)
}

impl ModuleCheck {
    /// [`verify_module`] so.
    ///
    /// # Errors
    /// As [`verify_module`].
    pub fn run<M: Module>(
        &self,
        module: &M,
        spec: &Spec,
        forward: impl Fn(&M, &mut Args) -> Outputs,
    ) -> Result<Report> {
        let model = fluxo_onnx::export(module, spec, &self.options, &forward)?;
        let folder = Folder::new().map_err(|e| io(&std::env::temp_dir(), e))?;
        let file = folder.path().join("model.onnx");
        model.write(&file)?;
        let device = fluxo_backends::device("flex")?;
        let run = |module: &M, inputs: &Tensors| -> Result<Tensors> {
            Ok(evaluate(module, &device, inputs, &forward)?
                .into_iter()
                .collect())
        };
        let module = module.valid().to_device(&device);
        let moved = (1..=RUNS).map(|seed| nudged(module.clone(), seed, DType::F32));
        let moved: Vec<M> = moved.collect();
        let (mut cases, mut references, mut plain) = (Vec::new(), Vec::new(), Vec::new());
        let mut skipped = Vec::new();
        let mut failed = None;
        for sizes in self.all_sizes(spec) {
            let label = label(&sizes);
            let inputs = self.inputs(spec, &sizes);
            // A module may refuse sizes that are out of the common.
            let given = match run(&module, &inputs) {
                Ok(given) => given,
                Err(error) => {
                    skipped.push(Skipped {
                        runner: "flex".to_string(),
                        reason: format!("{label}: {error}"),
                    });
                    failed.get_or_insert(error);
                    continue;
                }
            };
            let exact = evaluate_in_double(&module, &inputs, &forward)?;
            let exact: Tensors = exact.into_iter().collect();
            let mut noise = Noise::new();
            explained(&mut noise, &exact, &given);
            for moved in &moved {
                explained(&mut noise, &exact, &run(moved, &inputs)?);
            }
            references.push(Reference::new(exact, noise, unit(DType::F32)));
            plain.push(Ok(given));
            cases.push((label, inputs));
        }
        if let (true, Some(error)) = (cases.is_empty(), failed) {
            return Err(error);
        }
        let label = Label::backend("flex", "flex", DType::F32);
        let mut runners: Vec<Box<dyn Runner>> = vec![Box::new(Replay::given(label, plain))];
        for name in &self.on {
            let device = fluxo_backends::device(name)?;
            let module = module.clone().to_device(&device);
            let given = cases.iter().map(|(_, inputs)| {
                let given = evaluate(&module, &device, inputs, &forward)?;
                Ok(given.into_iter().collect())
            });
            let label = Label::backend(name, name, DType::F32);
            runners.push(Box::new(Replay::given(label, given.collect())));
        }
        let unread = model.unread_by();
        for name in RUNTIMES {
            if let Some((_, reason)) = unread.iter().find(|(runtime, _)| *runtime == name) {
                skipped.push(Skipped {
                    runner: name.to_string(),
                    reason: reason.clone(),
                });
                continue;
            }
            match load(name, name, &file) {
                Ok(runner) => runners.push(runner),
                Err(error) => skipped.push(Skipped {
                    runner: name.to_string(),
                    reason: error.to_string(),
                }),
            }
        }
        if runners.len() == 1 + self.on.len() {
            return Err(Error::Unable {
                ran: vec![reference::NAME.to_string(), "flex".to_string()],
                failed: skipped,
            });
        }
        let mut report = compare(&mut runners, &cases, &Judging::measured(&references))?;
        report.skipped.extend(skipped);
        Ok(report)
    }

    /// The smallest sizes, the built-in ones, and the caller's.
    fn all_sizes(&self, spec: &Spec) -> Vec<BTreeMap<String, usize>> {
        let open = spec.open(&self.options.static_sizes);
        let within = |(name, min, max): &(String, usize, usize), size: usize| {
            (name.clone(), size.max(*min).min(*max))
        };
        let smallest = open.iter().map(|size| within(size, 0)).collect();
        let mut all: Vec<BTreeMap<String, usize>> = vec![smallest];
        for row in SIZES {
            let sizes = open.iter().enumerate();
            let sizes = sizes.map(|(i, size)| within(size, row[i % row.len()] + i / row.len()));
            let mut sizes: BTreeMap<String, usize> = sizes.collect();
            while self.count(spec, &sizes) > MOST && sizes.values().any(|size| *size > 3) {
                for size in sizes.values_mut() {
                    *size = (*size / 2).max((*size).min(3));
                }
            }
            all.push(sizes);
        }
        all.extend(self.sizes.iter().cloned());
        all.dedup();
        all
    }

    fn count(&self, spec: &Spec, sizes: &BTreeMap<String, usize>) -> usize {
        let inputs = spec.inputs().iter();
        inputs
            .map(|input| self.shape(input, sizes).iter().product::<usize>())
            .sum()
    }

    fn shape(&self, input: &fluxo_onnx::Input, sizes: &BTreeMap<String, usize>) -> Vec<usize> {
        let mut all = self.options.static_sizes.clone();
        all.extend(sizes.clone());
        input.dims.iter().map(|dim| dim.length(&all)).collect()
    }

    /// Made-up inputs of these sizes, the same every time.
    fn inputs(&self, spec: &Spec, sizes: &BTreeMap<String, usize>) -> Tensors {
        let mut random = StdRng::seed_from_u64(17);
        let inputs = spec.inputs().iter().map(|input| {
            let shape = self.shape(input, sizes);
            let count = shape.iter().product::<usize>();
            let data = match input.kind {
                InputKind::Float => {
                    let values = (0..count).map(|_| random.random_range(-2.0f32..2.0));
                    TensorData::new(values.collect::<Vec<_>>(), shape)
                }
                InputKind::Int => {
                    let range = self.integers.get(&input.name).cloned().unwrap_or(0..2);
                    let values = (0..count).map(|_| random.random_range(range.clone()));
                    TensorData::new(values.collect::<Vec<_>>(), shape)
                }
                InputKind::Bool => {
                    let values = (0..count).map(|_| random.random::<bool>());
                    TensorData::new(values.collect::<Vec<_>>(), shape)
                }
            };
            (input.name.clone(), data)
        });
        inputs.collect()
    }
}

/// `at batch 1, height 32`.
fn label(sizes: &BTreeMap<String, usize>) -> String {
    let sizes: Vec<String> = sizes
        .iter()
        .map(|(name, size)| format!("{name} {size}"))
        .collect();
    if sizes.is_empty() {
        "at fixed sizes".to_string()
    } else {
        format!("at {}", sizes.join(", "))
    }
}
