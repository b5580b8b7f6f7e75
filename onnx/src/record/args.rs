//! What the closure that runs a module is given, and what it gives back.

use std::any::Any;
use std::collections::{BTreeMap, HashMap};

use burn::module::Module;
use burn::tensor::kind::Basic;
use burn::tensor::{Bool, DType, Device, Int, Tensor, TensorData};
use burn_capture::TensorId;

use crate::error::{Error, Result};
use crate::record::module::{float_type, id_of};
use crate::record::panic_capture::{Stop, abandon, quietly};
use crate::spec::{Kind, Spec};
/// The tensors that a forward pass is called with.
pub struct Args<'a> {
    source: Source<'a>,
    device: Device,
    /// The float type that the module computes in.
    dtype: DType,
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

impl<'a> Args<'a> {
    /// The inputs of a recording, with these shapes.
    pub(crate) fn record(
        spec: &'a Spec,
        shapes: Vec<Vec<usize>>,
        device: Device,
        dtype: DType,
    ) -> Self {
        let source = Source::Record {
            spec,
            shapes,
            made: HashMap::new(),
        };
        Self {
            source,
            device,
            dtype,
        }
    }

    /// Inputs with data.
    pub(crate) fn values(
        values: &'a BTreeMap<String, TensorData>,
        device: Device,
        dtype: DType,
    ) -> Self {
        let source = Source::Values(values);
        Self {
            source,
            device,
            dtype,
        }
    }

    /// Which recorded tensor is which input of the description.
    pub(crate) fn made(&self) -> BTreeMap<TensorId, usize> {
        match &self.source {
            Source::Record { made, .. } => {
                made.iter().map(|(index, (_, id))| (*id, *index)).collect()
            }
            Source::Values(_) => BTreeMap::new(),
        }
    }

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

    /// A float input, in the type that the module computes in. Ends the export with an error if
    /// there is none of this name and rank.
    pub fn float<const D: usize>(&mut self, name: &str) -> Tensor<D> {
        let outside = outside(self.dtype);
        let tensor: Tensor<D> = self.get(name, Kind::Float, |make, device| match make {
            Make::Empty(shape) => {
                let tensor = Tensor::<D>::empty(shape, (device, outside));
                let id = id_of!(tensor);
                (tensor, id)
            }
            Make::Of(data) => {
                let tensor = Tensor::from_data(data, (device, outside));
                (tensor, Err(String::new()))
            }
        });
        if tensor.dtype() == self.dtype {
            return tensor;
        }
        tensor.cast(self.dtype)
    }

    /// An integer input. Ends the export with an error if there is none of this name and rank.
    pub fn int<const D: usize>(&mut self, name: &str) -> Tensor<D, Int> {
        self.get(name, Kind::Int, |make, device| match make {
            Make::Empty(shape) => {
                let tensor = Tensor::<D, Int>::empty(shape, device);
                let id = id_of!(tensor);
                (tensor, id)
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
                (tensor, id)
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
            abandon(Error::Argument {
                name: name.to_string(),
                reason,
            })
        };
        let (spec, shapes, made) = match &mut self.source {
            Source::Record { spec, shapes, made } => (spec, shapes, made),
            Source::Values(values) => {
                let Some(data) = values.get(name) else {
                    refuse("it was not given".into())
                };
                if data.shape().num_dims() != D {
                    refuse(format!(
                        "given with shape {:?}, asked for with {D} axes",
                        data.shape()
                    ));
                }
                return make(Make::Of(data.clone()), &self.device).0;
            }
        };
        let Some(index) = spec.inputs.iter().position(|input| input.name == name) else {
            refuse("the description has no such input".into())
        };
        let input = &spec.inputs[index];
        if input.kind != kind {
            refuse(format!(
                "described as {:?}, asked for as {kind:?}",
                input.kind
            ));
        }
        let Ok(shape) = <[usize; D]>::try_from(shapes[index].as_slice()) else {
            refuse(format!(
                "described with {} dimensions, asked for with {D}",
                input.dims.len()
            ))
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

/// The float type of a file's inputs and outputs, for a module that computes in `dtype`: 32 bits
/// stand for 16, which few programs hold in memory.
pub(crate) fn outside(dtype: DType) -> DType {
    match dtype {
        DType::F16 | DType::BF16 => DType::F32,
        dtype => dtype,
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

    /// Appends a float output; one of 16 bits is widened to 32.
    pub fn float<const D: usize>(mut self, name: impl Into<String>, tensor: Tensor<D>) -> Self {
        let tensor = match tensor.dtype() {
            dtype @ (DType::F16 | DType::BF16) => tensor.cast(outside(dtype)),
            _ => tensor,
        };
        let id = id_of!(tensor);
        self.named.push(Output {
            name: name.into(),
            id,
            read: Box::new(move || tensor.to_data()),
        });
        self
    }

    /// Appends an integer output.
    pub fn int<const D: usize>(mut self, name: impl Into<String>, tensor: Tensor<D, Int>) -> Self {
        let id = id_of!(tensor);
        self.named.push(Output {
            name: name.into(),
            id,
            read: Box::new(move || tensor.to_data()),
        });
        self
    }

    /// Appends a boolean output.
    pub fn bool<const D: usize>(
        mut self,
        name: impl Into<String>,
        tensor: Tensor<D, Bool>,
    ) -> Self {
        let id = id_of!(tensor);
        self.named.push(Output {
            name: name.into(),
            id,
            read: Box::new(move || tensor.to_data()),
        });
        self
    }

    /// Where the outputs stand in the recording.
    pub(crate) fn ids(&self) -> Vec<(String, TensorId)> {
        if self.named.is_empty() {
            abandon(Error::Spec(
                "the closure gives no output: name them with `Outputs::float`, `int` or `bool`"
                    .into(),
            ));
        }
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

/// Runs a closure that was written for [`export`](crate::export) on a real device, with data, and
/// like it without what a module does only while it trains.
///
/// # Errors
/// If the closure asks for an input that was not given, or panics.
pub fn evaluate<M: Module>(
    module: &M,
    device: &Device,
    inputs: &BTreeMap<String, TensorData>,
    forward: impl Fn(&M, &mut Args) -> Outputs,
) -> Result<Vec<(String, TensorData)>> {
    // As an export has it: what is only done while training is not.
    let (module, device) = (module.valid(), device.clone().without_autodiff());
    let run = || {
        let mut args = Args::values(inputs, device.clone(), float_type(&module));
        let outputs = forward(&module, &mut args);
        outputs
            .named
            .iter()
            .map(|output| (output.name.clone(), (output.read)()))
            .collect()
    };
    quietly(run).map_err(|stop| match stop {
        Stop::Typed(error) => error,
        Stop::Panic(message) => Error::Forward {
            message,
            sizes: "the given sizes".into(),
        },
    })
}
