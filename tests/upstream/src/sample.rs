//! The list's tensors as inputs and outputs of `burn-onnx`.

use burn::tensor::{Bool, Device, Distribution, Int, Tensor, TensorData};
use burn_onnx::export::{ExportInput, ExportOutput};

/// Tensors that a forward pass is given.
pub trait Given: ExportInput + Clone {
    fn sample(shapes: &[Vec<usize>], device: &Device) -> Self;
    fn read(self) -> Vec<TensorData>;
}

/// Tensors that it gives back.
pub trait Taken: ExportOutput {
    fn read(self) -> Vec<TensorData>;
}

fn array<const D: usize>(shape: &[usize]) -> [usize; D] {
    shape.try_into().unwrap()
}

impl<const D: usize> Given for Tensor<D> {
    fn sample(shapes: &[Vec<usize>], device: &Device) -> Self {
        Tensor::random(
            array::<D>(&shapes[0]),
            Distribution::Uniform(-2.0, 2.0),
            device,
        )
    }
    fn read(self) -> Vec<TensorData> {
        vec![self.into_data()]
    }
}

impl<const D: usize> Given for Tensor<D, Int> {
    fn sample(shapes: &[Vec<usize>], device: &Device) -> Self {
        let range = Distribution::Uniform(0.0, 6.0);
        Tensor::<D, Int>::random(array::<D>(&shapes[0]), range, device)
    }
    fn read(self) -> Vec<TensorData> {
        vec![self.into_data().convert::<i64>()]
    }
}

impl<const D: usize> Given for Tensor<D, Bool> {
    fn sample(shapes: &[Vec<usize>], device: &Device) -> Self {
        Tensor::<D>::random(
            array::<D>(&shapes[0]),
            Distribution::Uniform(-1.0, 1.0),
            device,
        )
        .greater_elem(0.0)
    }
    fn read(self) -> Vec<TensorData> {
        vec![self.into_data()]
    }
}

impl<const D: usize> Taken for Tensor<D> {
    fn read(self) -> Vec<TensorData> {
        vec![self.into_data()]
    }
}

macro_rules! tuple {
    ($($name:ident $index:tt),*) => {
        impl<$($name: Given),*> Given for ($($name,)*) {
            fn sample(shapes: &[Vec<usize>], device: &Device) -> Self {
                ($($name::sample(&shapes[$index..], device),)*)
            }
            fn read(self) -> Vec<TensorData> {
                [$(self.$index.read()),*].concat()
            }
        }
        impl<$($name: Taken),*> Taken for ($($name,)*) {
            fn read(self) -> Vec<TensorData> {
                [$(self.$index.read()),*].concat()
            }
        }
    };
}
tuple!(A 0, B 1);
tuple!(A 0, B 1, C 2);
