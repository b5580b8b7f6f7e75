//! Any Burn module to ONNX, exact at every size.
//!
//! A forward pass is recorded at several sizes without being executed. Every number that differs
//! between the recordings gets a closed form in the named sizes, or the export ends with an error
//! that says which number has none: nothing is frozen at the size of a recording.
//!
//! ```
//! use burn::nn::{Linear, LinearConfig};
//! use burn::tensor::Device;
//! use fluxo_onnx::{Input, Options, Outputs, Spec, export};
//!
//! # fn main() -> Result<(), fluxo_onnx::Error> {
//! let layer: Linear = LinearConfig::new(4, 3).init(&Device::default());
//! let spec = Spec::new("layer").input(Input::float("x", ["batch".into(), fluxo_onnx::Dim::Fixed(4)]));
//! let model = export(&layer, &spec, &Options::default(), |layer, args| {
//!     Outputs::new().float("y", layer.forward(args.float::<2>("x")))
//! })?;
//! assert_eq!(model.outputs()[0].dims, ["batch", "3"]);
//! # Ok(())
//! # }
//! ```

mod args;
mod canonical;
mod capture;
mod check;
mod error;
mod expr;
mod graph;
mod lower;
mod parameters;
mod plan;
mod proto;
mod quiet;
mod rewrite;
mod spec;
mod symbolic;
mod write;

use std::collections::BTreeMap;

use burn::module::Module;

pub use args::{Args, Outputs, evaluate};
pub use error::{Divergence, Error, Result, Unsupported};
pub use expr::Expr;
pub use graph::DataType;
pub use spec::{Dim, Input, Kind, Spec};
pub use write::{OnnxModel, ValueSummary};

/// How a module is exported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The operator set of the file. 18 is the one that is served.
    pub opset: i64,
    /// Free pairs stored in the file.
    pub metadata: BTreeMap<String, String>,
    /// Named sizes that are fixed after all.
    pub static_sizes: BTreeMap<String, usize>,
    /// The producer's name and version in the file.
    pub producer: (String, String),
}

impl Default for Options {
    fn default() -> Self {
        Self {
            opset: 18,
            metadata: BTreeMap::new(),
            static_sizes: BTreeMap::new(),
            producer: ("fluxo".into(), env!("CARGO_PKG_VERSION").into()),
        }
    }
}

/// Exports what `forward` computes with `module`.
///
/// The closure runs several times, with inputs of different sizes that hold no data. It gets the
/// module on the capture device, asks `args` for the inputs by name, and gives its results names.
///
/// # Errors
/// If the description cannot be traced, if the forward pass reads data or takes different ways at
/// different sizes, if a number has no closed form in the sizes, and if operations have no ONNX
/// form: then all of them are named at once.
pub fn export<M: Module>(
    module: &M,
    spec: &Spec,
    options: &Options,
    forward: impl Fn(&M, &mut Args) -> Outputs,
) -> Result<OnnxModel> {
    if options.opset != 18 {
        return Err(Error::Option(format!(
            "opset {}: only 18 is served",
            options.opset
        )));
    }
    let spec = spec.clone().freeze(&options.static_sizes);
    spec.validate()?;
    let sizes = spec.sizes();
    let plan = plan::Plan::new(&spec, &sizes)?;
    let traces = plan
        .traces
        .iter()
        .map(|at| capture::trace(module, &spec, &sizes, at, &forward))
        .collect::<Result<Vec<_>>>()?;
    let sym = symbolic::solve(&spec, sizes, &plan, &traces)?;
    drop(traces);
    let (live, wanted) = lower::live(&sym);
    let mut parameters = BTreeMap::new();
    for (path, value) in parameters::read_parameters(module, &wanted) {
        let Some(data) = graph::Data::of(&value) else {
            return Err(Error::Unsupported(vec![Unsupported {
                operation: "quantized weight".into(),
                module: path,
                reason: None,
            }]));
        };
        parameters.insert(path, data);
    }
    let mut graph = lower::lower(&spec, &sym, &live, parameters)?;
    rewrite::rewrite(&mut graph);
    check::check(&graph)?;
    Ok(OnnxModel {
        graph,
        opset: options.opset,
        producer: options.producer.clone(),
        metadata: options.metadata.clone(),
    })
}
