//! One run of the forward pass on Burn's capture device: what was recorded, and which recorded
//! tensors are inputs, parameters and outputs.
//!
//! Parameters enter as empty tensors of their shape. Nothing is executed, so a trace needs no
//! weights: they are read from the module once, by path, when the file is put together.

use std::collections::{BTreeMap, HashMap};

use burn::module::Module;
use burn::tensor::{DType, Device};
use burn_capture::{CapturedGraph, TensorId};

use crate::args::{Args, Outputs};
use crate::canonical::canonical;
use crate::error::{Error, Result};
use crate::parameters::{Replace, computes, float_type};
use crate::plan::show_sizes;
use crate::quiet::{Stop, quietly};
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
pub(crate) fn trace<M: Module>(
    module: &M,
    spec: &Spec,
    names: &[String],
    sizes: &[i64],
    dtype: Option<DType>,
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
    let device = capture_device();
    let mut noted = None;
    let run = || {
        device.capture_scope(|scope| {
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
                message,
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

thread_local! {
    static DEVICE: Device = Device::capture();
}

/// One capture device a thread: Burn's supply of them is limited, and each can be used again.
fn capture_device() -> Device {
    DEVICE.with(Device::clone)
}
