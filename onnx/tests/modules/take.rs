//! From the list's tensors to inputs and outputs of an export.

use burn::tensor::{Bool, Int, Tensor};
use fluxo_onnx::{Args, Dim, Input, Kind, Outputs};

/// Tensors that a forward pass is given: the inputs `x0`, `x1`, …
pub trait Given: Sized {
    fn kinds() -> Vec<Kind>;
    fn take(args: &mut Args, first: usize) -> Self;
}

/// Tensors that it gives back: the outputs `y0`, `y1`, …
pub trait Taken {
    fn put(self, outputs: Outputs, first: usize) -> Outputs;
}

macro_rules! tensor {
    ($kind:ty, $variant:ident, $take:ident) => {
        impl<const D: usize> Given for Tensor<D, $kind> {
            fn kinds() -> Vec<Kind> {
                vec![Kind::$variant]
            }
            fn take(args: &mut Args, first: usize) -> Self {
                args.$take(&format!("x{first}"))
            }
        }
    };
}
tensor!(burn::tensor::Float, Float, float);
tensor!(Int, Int, int);
tensor!(Bool, Bool, bool);

impl<const D: usize> Taken for Tensor<D> {
    fn put(self, outputs: Outputs, first: usize) -> Outputs {
        outputs.float(format!("y{first}"), self)
    }
}

macro_rules! tuple {
    ($($name:ident $index:tt),*) => {
        impl<$($name: Given),*> Given for ($($name,)*) {
            fn kinds() -> Vec<Kind> {
                [$($name::kinds()),*].concat()
            }
            fn take(args: &mut Args, first: usize) -> Self {
                ($($name::take(args, first + $index),)*)
            }
        }
        impl<$($name: Taken),*> Taken for ($($name,)*) {
            fn put(self, mut outputs: Outputs, first: usize) -> Outputs {
                $(outputs = self.$index.put(outputs, first + $index);)*
                outputs
            }
        }
    };
}
tuple!(A 0, B 1);
tuple!(A 0, B 1, C 2);

/// The inputs of a row: `batch sequence 4`.
pub fn inputs<I: Given>(shapes: &[&str]) -> Vec<Input> {
    let kinds = I::kinds().into_iter().enumerate();
    kinds
        .zip(shapes)
        .map(|((index, kind), shape)| {
            let dims = shape.split(' ').map(Dim::from);
            Input::new(format!("x{index}"), kind, dims)
        })
        .collect()
}
