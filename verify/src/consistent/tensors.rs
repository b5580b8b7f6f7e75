//! What a module takes and gives, wherever it runs.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Bool, DType, Device, Int, Tensor, TensorData};
use burn_capture::{CaptureBackend, TensorId};
use fluxo_onnx::{Args, Input, Outputs};

/// Where a module runs, and in which element type.
#[derive(Debug, Clone)]
pub struct Place {
    pub(super) device: Device,
    pub(super) dtype: DType,
}

/// What a module takes: tensors of every kind, and tuples of them.
pub trait Takes {
    /// The same on the device of `place`, floats in its element type.
    fn placed(&self, place: &Place) -> Self;

    /// Appends each tensor as the next input of a file, of its own shape, and its data.
    fn described(&self, inputs: &mut Vec<(Input, TensorData)>);

    /// The same as the next inputs of a recording.
    fn taken(args: &mut Args, next: &mut usize) -> Self;
}

/// What the file calls the input of this number.
fn input(number: usize) -> String {
    format!("input {number}")
}

/// What outputs are called, in a file and in reports.
pub(super) fn output(number: usize) -> String {
    format!("output {number}")
}

/// A tensor as an input of a file.
macro_rules! in_files {
    ($kind:ident) => {
        fn described(&self, inputs: &mut Vec<(Input, TensorData)>) {
            let own = Input::$kind(input(inputs.len()), self.dims());
            inputs.push((own, self.to_data()));
        }

        fn taken(args: &mut Args, next: &mut usize) -> Self {
            *next += 1;
            args.$kind(&input(*next - 1))
        }
    };
}

/// A tensor as an output of a file.
macro_rules! out_of_files {
    ($kind:ident) => {
        fn outputs(self, outputs: Outputs, next: &mut usize) -> Outputs {
            *next += 1;
            outputs.$kind(output(*next - 1), self)
        }
    };
}

impl<const D: usize> Takes for Tensor<D> {
    fn placed(&self, place: &Place) -> Self {
        // Through host memory: the devices may be of different backends.
        Tensor::from_data(self.to_data(), (&place.device, place.dtype))
    }

    in_files!(float);
}

impl<const D: usize> Takes for Tensor<D, Int> {
    fn placed(&self, place: &Place) -> Self {
        Tensor::from_data(self.to_data(), &place.device)
    }

    in_files!(int);
}

impl<const D: usize> Takes for Tensor<D, Bool> {
    fn placed(&self, place: &Place) -> Self {
        Tensor::from_data(self.to_data(), &place.device)
    }

    in_files!(bool);
}

/// What a module gives: tensors of every kind, and tuples and lists of them.
pub trait Gives {
    /// The values, in order.
    fn values(self) -> Vec<TensorData>;

    /// Appends each as the next output of a file.
    fn outputs(self, outputs: Outputs, next: &mut usize) -> Outputs;

    /// Which recorded tensors they are, in order, on the capture device; a message where one is on
    /// another.
    fn recorded(&self) -> std::result::Result<Vec<TensorId>, String>;
}

/// Which recorded tensor a tensor on the capture device is.
macro_rules! recorded {
    () => {
        fn recorded(&self) -> std::result::Result<Vec<TensorId>, String> {
            let primitive = self.clone().try_into_primitive::<CaptureBackend>();
            let id = primitive.map(|primitive| vec![primitive.id()]);
            id.map_err(|error| format!("{error:?}"))
        }
    };
}

impl<const D: usize> Gives for Tensor<D> {
    fn values(self) -> Vec<TensorData> {
        vec![self.into_data()]
    }

    recorded!();

    out_of_files!(float);
}

impl<const D: usize> Gives for Tensor<D, Int> {
    fn values(self) -> Vec<TensorData> {
        vec![self.into_data()]
    }

    recorded!();

    out_of_files!(int);
}

impl<const D: usize> Gives for Tensor<D, Bool> {
    fn values(self) -> Vec<TensorData> {
        vec![self.into_data()]
    }

    recorded!();

    out_of_files!(bool);
}

impl<T: Gives> Gives for Vec<T> {
    fn values(self) -> Vec<TensorData> {
        self.into_iter().flat_map(Gives::values).collect()
    }

    fn outputs(self, outputs: Outputs, next: &mut usize) -> Outputs {
        self.into_iter()
            .fold(outputs, |outputs, each| each.outputs(outputs, next))
    }

    fn recorded(&self) -> std::result::Result<Vec<TensorId>, String> {
        let all: std::result::Result<Vec<_>, _> = self.iter().map(Gives::recorded).collect();
        Ok(all?.concat())
    }
}

macro_rules! tuples {
    ($(($($name:ident $index:tt),+))+) => {$(
        impl<$($name: Takes),+> Takes for ($($name,)+) {
            fn placed(&self, place: &Place) -> Self {
                ($(self.$index.placed(place),)+)
            }
            fn described(&self, inputs: &mut Vec<(Input, TensorData)>) {
                $(self.$index.described(inputs);)+
            }
            fn taken(args: &mut Args, next: &mut usize) -> Self {
                ($($name::taken(args, next),)+)
            }
        }
        impl<$($name: Gives),+> Gives for ($($name,)+) {
            fn values(self) -> Vec<TensorData> {
                [$(self.$index.values()),+].concat()
            }
            fn outputs(self, outputs: Outputs, next: &mut usize) -> Outputs {
                $(let outputs = self.$index.outputs(outputs, next);)+
                outputs
            }
            fn recorded(&self) -> std::result::Result<Vec<TensorId>, String> {
                Ok([$(self.$index.recorded()?),+].concat())
            }
        }
    )+};
}

tuples! {
    (A 0)
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, D 3)
    (A 0, B 1, C 2, D 3, E 4)
    (A 0, B 1, C 2, D 3, E 4, F 5)
}

/// `module` as it is when it does not train, on the device of `place` and in its element type: a
/// fresh copy of what it shares between its clones.
pub(super) fn moved<M: Module>(module: &M, place: &Place) -> M {
    let module = module.valid().map(&mut Moved(place));
    module.to_device(&place.device)
}

/// Moves every tensor of a module to a place.
struct Moved<'a>(&'a Place);

impl ModuleMapper for Moved<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, value, mapper) = param.consume();
        Param::from_mapped_value(id, value.placed(self.0), mapper)
    }

    fn map_int<const D: usize>(&mut self, param: Param<Tensor<D, Int>>) -> Param<Tensor<D, Int>> {
        let (id, value, mapper) = param.consume();
        Param::from_mapped_value(id, value.placed(self.0), mapper)
    }

    fn map_bool<const D: usize>(
        &mut self,
        param: Param<Tensor<D, Bool>>,
    ) -> Param<Tensor<D, Bool>> {
        let (id, value, mapper) = param.consume();
        Param::from_mapped_value(id, value.placed(self.0), mapper)
    }
}
