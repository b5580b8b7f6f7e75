//! Any Burn module to ONNX, exact at every size.
//!
//! A forward pass is recorded at several sizes without being executed. Every number that differs
//! between the recordings gets a closed form in the named sizes, or the export ends with an error
//! that says which number has none: nothing is frozen at the size of a recording. A loop over an
//! open length, as in a recurrent module, becomes one node: `LSTM`, `GRU` or `RNN` where its step is
//! theirs, else one with the step inside.
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

mod error;
mod expr;
pub mod file;
mod graph;
mod loops;
mod lower;
mod record;
mod spec;
mod survey;
mod symbolic;
mod target;

use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::DType;

pub use error::{Divergence, Error, Result, Unsupported};
pub use expr::Expr;
pub use file::{OnnxModel, ValueSummary, append_metadata};
pub use graph::DataType;
pub use record::args::{Args, Outputs, evaluate};
#[cfg(feature = "flex")]
pub use record::replay::{evaluate_in_double, in_double};
pub use spec::{Dim, Input, Kind, Spec};
pub use survey::operations;
pub use target::Target;

/// The version of Burn whose recordings are read.
pub const BURN: &str = "0.22.1";

/// How a module is exported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The operator set of the file, from 17 to 24; [`Target::opset`] is the one that serves a
    /// target best.
    pub opset: i64,
    /// Where the file will run: which operators are one node and which are several.
    pub target: Target,
    /// The float type of weights and arithmetic; the module's own where it is `None`. Inputs and
    /// outputs of a file in 16 bits are 32-bit floats, and bfloat16 is a type of storage: the
    /// arithmetic over such weights is that of 32 bits.
    pub dtype: Option<DType>,
    /// The largest file, in bytes, that holds its weights itself; those of a larger one go into
    /// a file beside. Never more than protobuf's limit, 2 GiB.
    pub external_over: usize,
    /// Free pairs stored in the file.
    pub metadata: BTreeMap<String, String>,
    /// Named sizes that are fixed after all.
    pub static_sizes: BTreeMap<String, usize>,
    /// The producer's name and version in the file.
    pub producer: (String, String),
}

impl Options {
    /// The operator set and forms that serve `target` best.
    pub fn for_target(target: Target) -> Self {
        Self {
            opset: target.opset(),
            target,
            ..Self::default()
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            opset: Target::Any.opset(),
            target: Target::Any,
            dtype: None,
            external_over: file::LIMIT,
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
    graph::opset::check(options.opset)?;
    let stored = options
        .dtype
        .unwrap_or_else(|| record::module::float_type(module));
    options.target.check(stored)?;
    let open = spec.sizes();
    if let Some(name) = options
        .static_sizes
        .keys()
        .find(|name| !open.contains(name))
    {
        return Err(Error::Spec(format!(
            "`static_sizes` fixes `{name}`, and no input has such a size; there are: {}",
            open.join(", ")
        )));
    }
    let spec = spec.clone().freeze(&options.static_sizes);
    spec.validate()?;
    let sizes = spec.sizes();
    let sym = symbolic::recorded::recorded(module, &spec, &sizes, options.dtype, &forward)?;
    let (live, wanted) = lower::live(&sym);
    let parameters = record::parameters::read_parameters(module, &wanted, options.dtype)?;
    let float = graph::DataType::of(record::args::outside(stored)).unwrap_or(DataType::Float);
    let form = lower::Form {
        opset: options.opset,
        float,
        forms: options.target.forms(options.opset),
    };
    let mut graph = lower::lower(&spec, &sym, &live, parameters, &form)?;
    graph::rewrite::rewrite(&mut graph, form.forms);
    loops::node::rewrite(&mut graph)?;
    graph::check::check(&graph)?;
    Ok(OnnxModel {
        graph,
        opset: options.opset,
        external_over: options.external_over,
        producer: options.producer.clone(),
        metadata: options.metadata.clone(),
    })
}
