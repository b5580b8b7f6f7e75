//! One run of the forward pass on Burn's capture device: what was recorded, and which recorded
//! tensors are inputs, parameters and outputs.
//!
//! Parameters enter as empty tensors of their shape. Nothing is executed, so a trace needs no
//! weights: they are read from the module once, by path, when the file is put together.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

use burn::module::Module;
use burn::tensor::{DType, Device, FloatDType};
use burn_capture::{CapturedGraph, TensorId};

use crate::error::{Error, Result};
use crate::record::args::{Args, Outputs};
use crate::record::canonical::canonical;
use crate::record::module::float_type;
use crate::record::panic_capture::{Stop, abandon, quietly};
use crate::record::parameters::{Replace, computes};
use crate::record::plan::show_sizes;
use crate::spec::Spec;

/// One trace.
pub(crate) struct Trace {
    pub captured: CapturedGraph,
    /// Input number in the description, for those that the closure asked for.
    pub inputs: BTreeMap<TensorId, usize>,
    pub outputs: Vec<(String, TensorId)>,
    pub parameters: BTreeMap<TensorId, String>,
}

/// Runs the closure once, with inputs of the shapes that the description has at `sizes` and float
/// parameters of `dtype`, or their own.
///
/// What it makes without naming a type is of 32 bits, as on any device of Burn's; where that does
/// not go together with its weights, of their type.
pub(crate) fn trace<M: Module>(
    module: &M,
    spec: &Spec,
    names: &[String],
    sizes: &[i64],
    dtype: Option<DType>,
    forward: &impl Fn(&M, &mut Args) -> Outputs,
) -> Result<Trace> {
    let once = |made| once(module, spec, names, sizes, dtype, made, forward);
    let computes = computes(dtype.unwrap_or_else(|| float_type(module)));
    match once(DType::F32) {
        Err(Error::Forward { message, .. })
            if computes != DType::F32 && message.contains(OTHER_TYPE) =>
        {
            once(computes)
        }
        traced => traced,
    }
}

/// How Burn's recorder calls two types that do not go together.
const OTHER_TYPE: &str = "DTypeMismatch";

/// [`trace`], with the type of the weights, and that of what the forward pass makes.
fn once<M: Module>(
    module: &M,
    spec: &Spec,
    names: &[String],
    sizes: &[i64],
    dtype: Option<DType>,
    made: DType,
    forward: &impl Fn(&M, &mut Args) -> Outputs,
) -> Result<Trace> {
    let shapes: Vec<Vec<usize>> = spec
        .inputs
        .iter()
        .map(|input| {
            input
                .dims
                .iter()
                .map(|dim| dim.expr(names).at(sizes) as usize)
                .collect()
        })
        .collect();
    let computes = computes(dtype.unwrap_or_else(|| float_type(module)));
    // A fresh copy of what a module shares between its clones, such as running statistics:
    // moving those to another device would move them in the caller's module too.
    let module = module.valid();
    let device = capture_device(made);
    let mut noted = None;
    let run = || {
        device.capture_scope(|scope| {
            in_type(made);
            let mut replace = Replace::new(&device, dtype);
            let module = module.map(&mut replace).to_device(&device);
            let mut args = Args::record(spec, shapes, device.clone(), computes);
            let outputs = forward(&module, &mut args);
            let named = outputs.ids();
            let mut distinct: Vec<TensorId> = Vec::new();
            for (_, id) in &named {
                if !distinct.contains(id) {
                    distinct.push(*id);
                }
            }
            let completed = scope.complete([], distinct.iter().copied());
            noted = Some((args.made(), named, distinct, replace.parameters));
            completed
        })
    };
    let recorded = match quietly(run) {
        Ok(captured) => captured,
        Err(Stop::Typed(error)) => return Err(error),
        Err(Stop::Panic(message)) => {
            return Err(Error::Forward {
                message: hinted(message, computes),
                sizes: show_sizes(names, sizes),
            });
        }
    };
    let mut captured = recorded.map_err(|error| Error::Capture(error.to_string()))?;
    let Some((inputs, named, distinct, parameters)) = noted else {
        return Err(Error::Capture(
            "the recording ended before its outputs were named".into(),
        ));
    };
    let operations = std::mem::take(&mut captured.graph.operations);
    captured.graph.operations = canonical(operations, &captured.graph.outputs);
    // Burn resolves aliases of output ids, in the order given.
    let resolved: HashMap<TensorId, TensorId> = distinct
        .into_iter()
        .zip(captured.graph.outputs.iter().copied())
        .collect();
    let outputs = named
        .into_iter()
        .map(|(name, id)| (name, resolved[&id]))
        .collect();
    Ok(Trace {
        captured,
        inputs,
        outputs,
        parameters,
    })
}

/// A panic's message with the mend, where that is known.
fn hinted(message: String, computes: DType) -> String {
    if message.contains("not on the same device") {
        return format!(
            "{message}; bring what the closure holds here with `to_device(&args.device())`, or make \
             it a field of the module"
        );
    }
    if message.contains(OTHER_TYPE) {
        return format!(
            "{message}; the recording computes in {computes:?}: cast what has a type of its own to \
             that of what it meets (`tensor.cast(x.dtype())`), or hold it as a `Param`"
        );
    }
    message
}

thread_local! {
    /// Each with whether it knows its float type.
    static DEVICES: RefCell<HashMap<DType, (Device, bool)>> = RefCell::default();
}

/// One capture device a thread and float type: Burn's supply of them is limited, and each can be
/// used again.
pub(crate) fn capture_device(dtype: DType) -> Device {
    DEVICES.with_borrow_mut(|devices| {
        let made = || (Device::capture(), false);
        devices.entry(dtype).or_insert_with(made).0.clone()
    })
}

/// Makes `dtype` the type of what a forward pass makes on the capture device without naming one; in
/// a scope, where alone Burn asks that device.
fn in_type(dtype: DType) {
    let float = match dtype {
        DType::F64 => FloatDType::F64,
        DType::F16 => FloatDType::F16,
        _ => return,
    };
    DEVICES.with_borrow_mut(|devices| {
        if let Some((device, known)) = devices.get_mut(&dtype)
            && !*known
        {
            match device.configure(float) {
                Ok(()) => *known = true,
                Err(error) => abandon(Error::Capture(format!("{error:?}"))),
            }
        }
    });
}
