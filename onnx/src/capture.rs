//! One run of the forward pass on Burn's capture device: what was recorded, and which recorded
//! tensors are inputs, parameters and outputs.
//!
//! Parameters enter as empty tensors of their shape. Nothing is executed, so a trace needs no
//! weights: they are read from the module once, by path, when the file is put together.

use std::any::Any;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Once;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::kind::Basic;
use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use burn_capture::{CaptureBackend, CapturedGraph, TensorId};

use crate::canonical::canonical;
use crate::error::{Error, Result};
use crate::expr::Expr;
use crate::spec::{Kind, Spec};

/// The tensors that a forward pass is called with.
pub struct Args<'a> {
    source: Source<'a>,
    device: Device,
}

enum Source<'a> {
    /// A recording: empty tensors of the shapes that the description has at some sizes.
    Record {
        spec: &'a Spec,
        shapes: Vec<Vec<usize>>,
        made: HashMap<usize, (Box<dyn Any>, TensorId)>,
    },
    /// A real run.
    Values(&'a BTreeMap<String, TensorData>),
}

/// The tensors that a forward pass gives, in order, by their names in the file.
#[derive(Default)]
pub struct Outputs {
    named: Vec<Output>,
}

struct Output {
    name: String,
    id: std::result::Result<TensorId, String>,
    /// Reads the tensor, and holds it: no later operation may consume an output in place.
    read: Box<dyn Fn() -> TensorData>,
}

/// One trace.
pub(crate) struct Trace {
    pub captured: CapturedGraph,
    /// Input number in the description, for those that the closure asked for.
    pub inputs: BTreeMap<TensorId, usize>,
    pub outputs: Vec<(String, TensorId)>,
    pub parameters: BTreeMap<TensorId, String>,
}

/// Ends the closure with an error instead of a panic message.
fn abandon(error: Error) -> ! {
    resume_unwind(Box::new(error))
}

macro_rules! id_of {
    ($tensor:expr) => {
        $tensor.clone().try_into_primitive::<CaptureBackend>().map(|primitive| primitive.id())
    };
}

impl Args<'_> {
    /// The device that constants of the forward pass must be made on.
    pub fn device(&self) -> Device {
        self.device.clone()
    }

    /// Whether there is an input of this name.
    pub fn has(&self, name: &str) -> bool {
        match &self.source {
            Source::Record { spec, .. } => spec.inputs.iter().any(|input| input.name == name),
            Source::Values(values) => values.contains_key(name),
        }
    }

    /// A float input. Ends the export with an error if there is none of this name and rank.
    pub fn float<const D: usize>(&mut self, name: &str) -> Tensor<D> {
        self.get(name, Kind::Float, |make, device| match make {
            Make::Empty(shape) => {
                let tensor = Tensor::<D>::empty(shape, device);
                let id = id_of!(tensor);
                (tensor, id.map_err(|error| format!("{error:?}")))
            }
            Make::Of(data) => (Tensor::from_data(data, device), Err(String::new())),
        })
    }

    /// An integer input. Ends the export with an error if there is none of this name and rank.
    pub fn int<const D: usize>(&mut self, name: &str) -> Tensor<D, Int> {
        self.get(name, Kind::Int, |make, device| match make {
            Make::Empty(shape) => {
                let tensor = Tensor::<D, Int>::empty(shape, device);
                let id = id_of!(tensor);
                (tensor, id.map_err(|error| format!("{error:?}")))
            }
            Make::Of(data) => (Tensor::from_data(data, device), Err(String::new())),
        })
    }

    /// A boolean input. Ends the export with an error if there is none of this name and rank.
    pub fn bool<const D: usize>(&mut self, name: &str) -> Tensor<D, Bool> {
        self.get(name, Kind::Bool, |make, device| match make {
            Make::Empty(shape) => {
                let tensor = Tensor::<D, Bool>::empty(shape, device);
                let id = id_of!(tensor);
                (tensor, id.map_err(|error| format!("{error:?}")))
            }
            Make::Of(data) => (Tensor::from_data(data, device), Err(String::new())),
        })
    }

    fn get<const D: usize, K: Basic + 'static>(
        &mut self,
        name: &str,
        kind: Kind,
        make: impl FnOnce(Make<D>, &Device) -> (Tensor<D, K>, std::result::Result<TensorId, String>),
    ) -> Tensor<D, K>
    where
        Tensor<D, K>: Clone + 'static,
    {
        let refuse = |reason: String| -> ! {
            abandon(Error::Argument { name: name.to_string(), reason })
        };
        let (spec, shapes, made) = match &mut self.source {
            Source::Record { spec, shapes, made } => (spec, shapes, made),
            Source::Values(values) => {
                let Some(data) = values.get(name) else { refuse("it was not given".into()) };
                if data.shape().num_dims() != D {
                    refuse(format!("given with shape {:?}, asked for with {D} axes", data.shape()));
                }
                return make(Make::Of(data.clone()), &self.device).0;
            }
        };
        let Some(index) = spec.inputs.iter().position(|input| input.name == name) else {
            refuse("the description has no such input".into())
        };
        let input = &spec.inputs[index];
        if input.kind != kind {
            refuse(format!("described as {:?}, asked for as {kind:?}", input.kind));
        }
        let Ok(shape) = <[usize; D]>::try_from(shapes[index].as_slice()) else {
            refuse(format!("described with {} dimensions, asked for with {D}", input.dims.len()))
        };
        if let Some((made, _)) = made.get(&index) {
            match made.downcast_ref::<Tensor<D, K>>() {
                Some(tensor) => return tensor.clone(),
                None => refuse("asked for twice in different forms".into()),
            }
        }
        let (tensor, id) = make(Make::Empty(shape), &self.device);
        match id {
            Ok(id) => made.insert(index, (Box::new(tensor.clone()), id)),
            Err(reason) => refuse(reason),
        };
        tensor
    }
}

/// How an input comes to be.
enum Make<const D: usize> {
    Empty([usize; D]),
    Of(TensorData),
}

impl Outputs {
    /// No outputs yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a float output.
    pub fn float<const D: usize>(mut self, name: impl Into<String>, tensor: Tensor<D>) -> Self {
        let id = id_of!(tensor).map_err(|error| format!("{error:?}"));
        self.named.push(Output { name: name.into(), id, read: Box::new(move || tensor.to_data()) });
        self
    }

    /// Appends an integer output.
    pub fn int<const D: usize>(mut self, name: impl Into<String>, tensor: Tensor<D, Int>) -> Self {
        let id = id_of!(tensor).map_err(|error| format!("{error:?}"));
        self.named.push(Output { name: name.into(), id, read: Box::new(move || tensor.to_data()) });
        self
    }

    /// Appends a boolean output.
    pub fn bool<const D: usize>(mut self, name: impl Into<String>, tensor: Tensor<D, Bool>) -> Self {
        let id = id_of!(tensor).map_err(|error| format!("{error:?}"));
        self.named.push(Output { name: name.into(), id, read: Box::new(move || tensor.to_data()) });
        self
    }

    /// Where the outputs stand in the recording.
    fn ids(&self) -> Vec<(String, TensorId)> {
        self.named
            .iter()
            .map(|output| match &output.id {
                Ok(id) => (output.name.clone(), *id),
                Err(reason) => abandon(Error::Capture(format!(
                    "output `{}` was not computed on the capture device: {reason}",
                    output.name
                ))),
            })
            .collect()
    }
}

/// Runs a closure that was written for [`export`](crate::export) on a real device, with data.
///
/// # Errors
/// If the closure asks for an input that was not given, or panics.
pub fn evaluate<M: Module>(
    module: &M,
    device: &Device,
    inputs: &BTreeMap<String, TensorData>,
    forward: impl Fn(&M, &mut Args) -> Outputs,
) -> Result<Vec<(String, TensorData)>> {
    let run = || {
        let mut args = Args { source: Source::Values(inputs), device: device.clone() };
        let outputs = forward(module, &mut args);
        outputs.named.iter().map(|output| (output.name.clone(), (output.read)())).collect()
    };
    quietly(run).map_err(|stop| match stop {
        Stop::Typed(error) => error,
        Stop::Panic(message) => Error::Forward { message, sizes: "the given sizes".into() },
    })
}

/// Replaces every parameter by an empty tensor on the capture device, and notes which is which.
struct Replace<'a> {
    device: &'a Device,
    path: Vec<String>,
    parameters: BTreeMap<TensorId, String>,
}

impl Replace<'_> {
    fn note(&mut self, id: std::result::Result<TensorId, String>) {
        match id {
            Ok(id) => self.parameters.insert(id, self.path.join(".")),
            Err(reason) => abandon(Error::Capture(format!(
                "parameter `{}` cannot be recorded: {reason}",
                self.path.join(".")
            ))),
        };
    }
}

impl ModuleMapper for Replace<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, value, mapper) = param.consume();
        let tensor = Tensor::<D>::empty(value.dims(), (self.device, value.dtype()));
        self.note(id_of!(tensor).map_err(|error| format!("{error:?}")));
        Param::from_mapped_value(id, tensor, mapper)
    }

    fn map_int<const D: usize>(&mut self, param: Param<Tensor<D, Int>>) -> Param<Tensor<D, Int>> {
        let (id, value, mapper) = param.consume();
        let tensor = Tensor::<D, Int>::empty(value.dims(), self.device);
        self.note(id_of!(tensor).map_err(|error| format!("{error:?}")));
        Param::from_mapped_value(id, tensor, mapper)
    }

    fn map_bool<const D: usize>(&mut self, param: Param<Tensor<D, Bool>>) -> Param<Tensor<D, Bool>> {
        let (id, value, mapper) = param.consume();
        let tensor = Tensor::<D, Bool>::empty(value.dims(), self.device);
        self.note(id_of!(tensor).map_err(|error| format!("{error:?}")));
        Param::from_mapped_value(id, tensor, mapper)
    }
}

/// Reads the parameters with these paths.
struct Read<'a> {
    wanted: &'a BTreeSet<String>,
    path: Vec<String>,
    values: BTreeMap<String, TensorData>,
}

impl Read<'_> {
    fn read(&mut self, data: impl FnOnce() -> TensorData) {
        let path = self.path.join(".");
        if self.wanted.contains(&path) {
            self.values.insert(path, data());
        }
    }
}

impl ModuleVisitor for Read<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.read(|| param.val().to_data());
    }

    fn visit_int<const D: usize>(&mut self, param: &Param<Tensor<D, Int>>) {
        self.read(|| param.val().to_data());
    }

    fn visit_bool<const D: usize>(&mut self, param: &Param<Tensor<D, Bool>>) {
        self.read(|| param.val().to_data());
    }
}

/// The values of the parameters with these paths.
pub(crate) fn read_parameters<M: Module>(
    module: &M,
    wanted: &BTreeSet<String>,
) -> BTreeMap<String, TensorData> {
    let mut read = Read { wanted, path: Vec::new(), values: BTreeMap::new() };
    module.visit(&mut read);
    read.values
}

/// Runs the closure once, with inputs of the shapes that the description has at `sizes`.
pub(crate) fn trace<M: Module>(
    module: &M,
    spec: &Spec,
    names: &[String],
    sizes: &[i64],
    forward: &impl Fn(&M, &mut Args) -> Outputs,
) -> Result<Trace> {
    let shapes: Vec<Vec<usize>> = spec
        .inputs
        .iter()
        .map(|input| input.dims.iter().map(|dim| dim.expr(names).at(sizes) as usize).collect())
        .collect();
    // A fresh copy of what a module shares between its clones, such as running statistics:
    // moving those to another device would move them in the caller's module too.
    let module = module.valid();
    let device = capture_device();
    let mut noted = None;
    let run = || {
        device.capture_scope(|scope| {
            let mut replace =
                Replace { device: &device, path: Vec::new(), parameters: BTreeMap::new() };
            let module = module.map(&mut replace).to_device(&device);
            let source = Source::Record { spec, shapes, made: HashMap::new() };
            let mut args = Args { source, device: device.clone() };
            let outputs = forward(&module, &mut args);
            let named = outputs.ids();
            let mut distinct: Vec<TensorId> = Vec::new();
            for (_, id) in &named {
                if !distinct.contains(id) {
                    distinct.push(*id);
                }
            }
            let completed = scope.complete([], distinct.iter().copied());
            let Source::Record { made, .. } = &args.source else { return completed };
            let inputs = made.iter().map(|(index, (_, id))| (*id, *index)).collect();
            noted = Some((inputs, named, distinct, replace.parameters));
            completed
        })
    };
    let recorded = match quietly(run) {
        Ok(captured) => captured,
        Err(Stop::Typed(error)) => return Err(error),
        Err(Stop::Panic(message)) => {
            return Err(Error::Forward { message, sizes: show_sizes(names, sizes) });
        }
    };
    let mut captured = recorded.map_err(|error| Error::Capture(error.to_string()))?;
    let Some((inputs, named, distinct, parameters)) = noted else {
        return Err(Error::Capture("the recording ended before its outputs were named".into()));
    };
    let operations = std::mem::take(&mut captured.graph.operations);
    captured.graph.operations = canonical(operations, &captured.graph.outputs);
    // Burn resolves aliases of output ids, in the order given.
    let resolved: HashMap<TensorId, TensorId> =
        distinct.into_iter().zip(captured.graph.outputs.iter().copied()).collect();
    let outputs = named.into_iter().map(|(name, id)| (name, resolved[&id])).collect();
    Ok(Trace { captured, inputs, outputs, parameters })
}

/// `batch=5, sequence=11`, for messages.
pub(crate) fn show_sizes(names: &[String], sizes: &[i64]) -> String {
    if names.is_empty() {
        return "fixed sizes".into();
    }
    let pairs = names.iter().zip(sizes).map(|(name, size)| format!("{name}={size}"));
    pairs.collect::<Vec<_>>().join(", ")
}

/// Shapes at which the closure runs. The first `grid` of them determine every multilinear
/// expression (of degree two where there are many sizes), the rest verify.
pub(crate) struct Plan {
    pub low: Vec<i64>,
    pub high: Vec<i64>,
    /// Which sizes stand at their high value, for the traces of the grid.
    pub subsets: Vec<Vec<usize>>,
    /// The sizes of every trace, the grid's first.
    pub traces: Vec<Vec<i64>>,
}

const PAIRS: [(i64, i64); 10] = [
    (5, 7),
    (11, 13),
    (17, 19),
    (23, 29),
    (31, 37),
    (41, 43),
    (47, 53),
    (59, 61),
    (67, 71),
    (73, 79),
];

impl Plan {
    pub fn new(spec: &Spec, names: &[String]) -> Result<Self> {
        if names.len() > PAIRS.len() {
            return Err(Error::Spec(format!("more than {} named sizes", PAIRS.len())));
        }
        let mut taken: BTreeSet<i64> = BTreeSet::new();
        let (mut low, mut high, mut checks) = (Vec::new(), Vec::new(), [Vec::new(), Vec::new()]);
        for (index, name) in names.iter().enumerate() {
            let bounds = spec.bounds(name);
            let (min, max) = (bounds.min.max(2) as i64, bounds.max.min(1 << 20) as i64);
            let (a, b) = PAIRS[index];
            let [a, b, c, d] = if min <= a - 1 && b + 1 <= max {
                [a, b, b + 1, a - 1]
            } else {
                within(min, max, &taken).ok_or_else(|| {
                    Error::Spec(format!(
                        "size `{name}` has fewer than three values from {min} to {max}: make it fixed"
                    ))
                })?
            };
            taken.extend([a, b, c, d]);
            low.push(a);
            high.push(b);
            checks[0].push(c);
            checks[1].push(d);
        }
        let degree = if names.len() <= 4 { names.len() } else { 2 };
        let mut subsets: Vec<Vec<usize>> = (0u32..1 << names.len())
            .map(|bits| (0..names.len()).filter(|i| bits & (1 << i) != 0).collect())
            .filter(|subset: &Vec<usize>| subset.len() <= degree)
            .collect();
        subsets.sort_by_key(Vec::len);
        let mut traces: Vec<Vec<i64>> = subsets
            .iter()
            .map(|subset| {
                (0..names.len())
                    .map(|i| if subset.contains(&i) { high[i] } else { low[i] })
                    .collect()
            })
            .collect();
        if !names.is_empty() {
            traces.extend(checks);
        }
        Ok(Self { low, high, subsets, traces })
    }
}

/// Four values between the bounds, at least three of them different, not taken where possible.
fn within(min: i64, max: i64, taken: &BTreeSet<i64>) -> Option<[i64; 4]> {
    let few = (min..=max).take(64);
    let mut values: Vec<i64> = few.clone().filter(|value| !taken.contains(value)).take(4).collect();
    if values.len() < 3 {
        values = few.take(4).collect();
    }
    match values.as_slice() {
        [a, b, c, d] => Some([*b, *d, *c, *a]),
        [a, b, c] => Some([*a, *c, *b, *a]),
        _ => None,
    }
}

/// The shape expressions of an input.
pub(crate) fn input_shape(spec: &Spec, index: usize, names: &[String]) -> Vec<Expr> {
    spec.inputs[index].dims.iter().map(|dim| dim.expr(names)).collect()
}

enum Stop {
    Typed(Error),
    Panic(String),
}

thread_local! {
    /// Set while a forward pass is recorded on this thread: the message of its panic goes here
    /// and not to standard error.
    static LISTENING: RefCell<Option<String>> = const { RefCell::new(None) };
    static LISTEN: RefCell<bool> = const { RefCell::new(false) };
    static DEVICE: Device = Device::capture();
}

/// One capture device a thread: Burn's supply of them is limited, and each can be used again.
fn capture_device() -> Device {
    DEVICE.with(Device::clone)
}

/// Runs `f`; a panic becomes a value and prints nothing.
fn quietly<T>(f: impl FnOnce() -> T) -> std::result::Result<T, Stop> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if LISTEN.with(|listen| *listen.borrow()) {
                let place = info.location().map(|at| format!(" ({}:{})", at.file(), at.line()));
                LISTENING.with(|slot| *slot.borrow_mut() = place);
            } else {
                before(info);
            }
        }));
    });
    LISTEN.with(|listen| *listen.borrow_mut() = true);
    let outcome = catch_unwind(AssertUnwindSafe(f));
    LISTEN.with(|listen| *listen.borrow_mut() = false);
    let place = LISTENING.with(|slot| slot.borrow_mut().take()).unwrap_or_default();
    outcome.map_err(|payload| match payload.downcast::<Error>() {
        Ok(error) => Stop::Typed(*error),
        Err(payload) => {
            let text = payload
                .downcast_ref::<String>()
                .cloned()
                .or_else(|| payload.downcast_ref::<&str>().map(|text| text.to_string()))
                .unwrap_or_else(|| "a panic without a message".into());
            let line = text.lines().next().unwrap_or_default().to_string();
            Stop::Panic(line + &place)
        }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::spec::Input;

    #[test]
    fn traces_cover_all_corners_and_verify() {
        let spec = Spec::new("g").input(Input::int("ids", ["batch", "sequence"]));
        let plan = Plan::new(&spec, &spec.sizes()).unwrap();
        assert_eq!(plan.traces.len(), 4 + 2);
        assert_eq!(plan.traces[0], plan.low);
        assert_eq!(plan.traces[3], plan.high);
        assert!(plan.traces.iter().flatten().all(|size| *size > 1));
    }

    #[test]
    fn traces_keep_to_the_bounds() {
        let spec = Spec::new("g").input(Input::int("ids", ["sequence"])).size_max("sequence", 4);
        let plan = Plan::new(&spec, &spec.sizes()).unwrap();
        assert!(plan.traces.iter().flatten().all(|size| (2..=4).contains(size)));
        assert_ne!(plan.low, plan.high);
        let narrow = Spec::new("g").input(Input::int("ids", ["sequence"])).size_max("sequence", 2);
        assert!(matches!(Plan::new(&narrow, &narrow.sizes()), Err(Error::Spec(_))));
    }
}
