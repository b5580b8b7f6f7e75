//! What transformers gave for a small checkpoint.

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use safetensors::SafeTensors;

/// The inputs and outputs of `tests/fixtures/hf/NAME/reference.safetensors`.
pub struct Reference(Vec<u8>);

impl Reference {
    pub fn load(name: &str) -> Self {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/hf");
        let path = format!("{folder}/{name}/reference.safetensors");
        Self(std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}")))
    }

    /// The tensor `in.{name}`, of integers.
    pub fn ints(&self, name: &str, device: &Device) -> Tensor<2, Int> {
        let (shape, values) = self.read(&format!("in.{name}"), i64::from_le_bytes);
        Tensor::from_data(TensorData::new(values, shape), (device, DType::I64))
    }

    /// The tensor `{side}.{name}`, where the side is `in` or `out`.
    pub fn floats<const D: usize>(&self, side: &str, name: &str, device: &Device) -> Tensor<D> {
        let (shape, values) = self.read(&format!("{side}.{name}"), f32::from_le_bytes);
        Tensor::from_data(TensorData::new(values, shape), device)
    }

    fn read<T, const N: usize>(&self, name: &str, value: fn([u8; N]) -> T) -> (Vec<usize>, Vec<T>) {
        let file = SafeTensors::deserialize(&self.0).expect("a file of tensors");
        let view = file.tensor(name).expect("a tensor of the reference");
        let bytes = view.data().chunks_exact(N);
        let values = bytes.map(|b| value(b.try_into().expect("chunks of N")));
        (view.shape().to_vec(), values.collect())
    }
}

/// A cache before the first token.
pub fn empty(shape: [usize; 4], device: &Device) -> Tensor<4> {
    Tensor::from_data(TensorData::new(Vec::<f32>::new(), shape), device)
}

/// Rows of the positions that hold tokens, of two texts of which the second has `second`.
pub fn kept(x: Tensor<3>, second: usize) -> Tensor<2> {
    let [_, _, width] = x.dims();
    let first = x.clone().slice_dim(0, 0..1).reshape([-1, width as i32]);
    let rest = x.slice([1..2, 0..second]).reshape([-1, width as i32]);
    Tensor::cat(vec![first, rest], 0)
}

/// Asserts that every value is the wanted one, relative to the largest where that is over 1.
///
/// The bound is three times the most that was measured, 1.6e-6 (the encoder of T5): float32 sums
/// in another order than torch's.
pub fn assert_close<const D: usize>(what: &str, got: Tensor<D>, wanted: Tensor<D>) {
    assert_eq!(got.dims(), wanted.dims(), "{what}");
    let values = |x: Tensor<D>| x.to_data().iter::<f32>().collect::<Vec<f32>>();
    let (got, wanted) = (values(got), values(wanted));
    let scale = wanted.iter().fold(1f32, |most, x| most.max(x.abs()));
    for (got, wanted) in got.into_iter().zip(wanted) {
        let apart = (got - wanted).abs() / scale;
        assert!(apart <= 5e-6, "{what}: {got} is not {wanted}");
    }
}
