//! What was recorded, run on flex.

use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::{DType, Device, TensorData, read_sync};
use burn_capture::TensorId;
use burn_flex::{Flex, FlexDevice};
use burn_ir::{IrVisitorMut, OperationIr, TensorIr, TensorStatus};
use burn_router::TensorInterpreter;

use crate::error::{Error, Result};
use crate::record::args::{Args, Outputs};
use crate::record::capture::capture_device;
use crate::record::module::float_type;
use crate::record::panic_capture::{Stop, quietly};

/// What `forward` gives in 64-bit floats, in order, whatever types it makes tensors in: it is
/// recorded on the capture device that it is given, and what was recorded runs on flex with every
/// float of 64 bits. The closure brings its weights and inputs there
/// ([`Tensor::from_data`](burn::tensor::Tensor::from_data)) and says which recorded tensors it gives
/// (`try_into_primitive::<burn_capture::CaptureBackend>()`, then `id()`).
///
/// # Errors
/// When it reads a tensor's data, panics, or gives what was not recorded.
pub fn in_double(
    forward: impl FnOnce(&Device) -> std::result::Result<Vec<TensorId>, String>,
) -> Result<Vec<TensorData>> {
    let device = capture_device(DType::F32);
    let mut given = None;
    let recorded = stopped(quietly(|| {
        device.capture_scope(|scope| {
            let ids = forward(&device);
            let known = ids.as_ref().map_or(&[][..], Vec::as_slice);
            let mut distinct: Vec<TensorId> = known.to_vec();
            distinct.sort_unstable();
            distinct.dedup();
            let completed = scope.complete([], distinct.iter().copied());
            given = Some(ids.map(|ids| (ids, distinct)));
            completed
        })
    }))?;
    let recorded = recorded.map_err(|error| Error::Capture(error.to_string()))?;
    let (ids, distinct) = match given {
        Some(given) => given.map_err(Error::Capture)?,
        None => return Err(Error::Capture("the recording did not end".into())),
    };
    // Burn resolves aliases of output ids, in the order given.
    let resolved: BTreeMap<TensorId, TensorId> =
        distinct.into_iter().zip(recorded.graph.outputs).collect();
    let wide = |(id, data): (TensorId, TensorData)| {
        if data.dtype().is_float() {
            (id, data.convert_dtype(DType::F64))
        } else {
            (id, data)
        }
    };
    let values = recorded.values.into_iter().map(wide).collect();
    let ops = recorded.graph.operations.into_iter().map(widened);
    replay(ops, values, ids.iter().map(|id| resolved[id]).collect())
}

/// [`evaluate`](crate::evaluate) in 64-bit floats ([`in_double`]).
///
/// # Errors
/// As [`evaluate`](crate::evaluate), and where the closure reads a tensor's data.
pub fn evaluate_in_double<M: Module>(
    module: &M,
    inputs: &BTreeMap<String, TensorData>,
    forward: impl Fn(&M, &mut Args) -> Outputs,
) -> Result<Vec<(String, TensorData)>> {
    let mut names = Vec::new();
    let outputs = in_double(|device| {
        let module = module.valid().to_device(device);
        let mut args = Args::values(inputs, device.clone(), float_type(&module));
        let outputs = forward(&module, &mut args).ids();
        let (own, ids) = outputs.into_iter().unzip();
        names = own;
        Ok(ids)
    })?;
    Ok(names.into_iter().zip(outputs).collect())
}

/// The operation with every float of 64 bits.
fn widened(mut op: OperationIr) -> OperationIr {
    struct Wide;
    impl IrVisitorMut for Wide {
        fn visit_tensor_mut(&mut self, tensor: &mut TensorIr) {
            if tensor.dtype.is_float() {
                tensor.dtype = DType::F64;
            }
        }
    }
    op.visit_mut(&mut Wide);
    match op {
        OperationIr::NumericFloat(_, op) => OperationIr::NumericFloat(DType::F64, op),
        OperationIr::Float(_, op) => OperationIr::Float(DType::F64, op),
        op => op,
    }
}

/// What `ops` make of the `given` tensors.
///
/// # Errors
/// When an operation does not run.
pub(crate) fn replay(
    ops: impl Iterator<Item = OperationIr>,
    given: BTreeMap<TensorId, TensorData>,
    outputs: Vec<TensorId>,
) -> Result<Vec<TensorData>> {
    /// Consumes nothing: an output may be read again.
    struct Keep;
    impl IrVisitorMut for Keep {
        fn visit_tensor_mut(&mut self, tensor: &mut TensorIr) {
            tensor.status = TensorStatus::ReadOnly;
        }
    }
    let run = || {
        let mut interpreter = TensorInterpreter::<Flex>::new(FlexDevice);
        let mut known: BTreeMap<TensorId, TensorIr> = BTreeMap::new();
        for (id, data) in given {
            let ir = TensorIr {
                id,
                shape: data.shape().clone(),
                status: TensorStatus::ReadOnly,
                dtype: data.dtype(),
            };
            known.insert(id, ir);
            interpreter.register_tensor_data_id(id, data);
        }
        for mut op in ops {
            // Parameters and inputs are recorded as tensors of nothing.
            let made: Vec<TensorId> = op.outputs().map(|tensor| tensor.id).collect();
            let is_given = !made.is_empty() && made.iter().all(|id| known.contains_key(id));
            if is_given || matches!(op, OperationIr::Drop(_)) {
                continue;
            }
            op.visit_mut(&mut Keep);
            known.extend(op.outputs().map(|tensor| (tensor.id, tensor.clone())));
            interpreter.register_op(op);
        }
        let read = |id: &TensorId| {
            let absent = || format!("tensor {id} was not recorded");
            let tensor = known.get(id).cloned().ok_or_else(absent)?;
            read_sync(interpreter.read_tensor_async(tensor)).map_err(|e| e.to_string())
        };
        outputs
            .iter()
            .map(read)
            .collect::<std::result::Result<Vec<_>, String>>()
    };
    stopped(quietly(run))?.map_err(Error::Capture)
}

fn stopped<T>(outcome: std::result::Result<T, Stop>) -> Result<T> {
    outcome.map_err(|stop| match stop {
        Stop::Typed(error) => error,
        Stop::Panic(message) => Error::Forward {
            message,
            sizes: "the given sizes".into(),
        },
    })
}
