//! Flex's tensors as slices.

use burn::tensor::{Bool, DType, Shape, Tensor, TensorData};
use burn_flex::{Flex, FlexTensor};

/// `x` where it is flex's and float32: not differentiated, not recorded.
pub(super) fn floats<const D: usize>(x: &Tensor<D>) -> Option<FlexTensor> {
    match x.dtype() {
        DType::F32 => x.clone().try_into_primitive::<Flex>().ok(),
        _ => None,
    }
}

/// [`floats`], its values side by side.
pub(super) fn dense<const D: usize>(x: &Tensor<D>) -> Option<FlexTensor> {
    let x = floats(x)?;
    Some(if x.layout().is_contiguous() {
        x
    } else {
        x.to_contiguous()
    })
}

/// The values of a dense tensor.
pub(super) fn values(x: &FlexTensor) -> &[f32] {
    let start = x.layout().start_offset();
    &x.storage::<f32>()[start..start + x.layout().num_elements()]
}

/// A tensor of `shape`.
pub(super) fn tensor<const D: usize>(values: Vec<f32>, shape: impl Into<Shape>) -> Tensor<D> {
    Tensor::from_primitive::<Flex>(FlexTensor::from_data(TensorData::new(values, shape)))
}

/// Rows of a tensor `[batch, heads, query, key]`, some of whose axes may be repeated without
/// being stored.
pub(super) struct Rows {
    tensor: FlexTensor,
    steps: [usize; 3],
    start: usize,
}

impl Rows {
    fn new(tensor: FlexTensor) -> Self {
        let forward = |x: &FlexTensor| {
            let strides = x.layout().strides();
            strides[3] == 1 && strides.iter().all(|stride| *stride >= 0)
        };
        let tensor = if forward(&tensor) {
            tensor
        } else {
            tensor.to_contiguous()
        };
        let strides = tensor.layout().strides();
        Self {
            steps: [0, 1, 2].map(|axis| strides[axis].unsigned_abs()),
            start: tensor.layout().start_offset(),
            tensor,
        }
    }

    /// Those of a mask, a byte a value.
    pub(super) fn of_bools(x: &Tensor<4, Bool>) -> Option<Self> {
        let x = x.clone().try_into_primitive::<Flex>().ok()?;
        (x.dtype().size() == 1).then(|| Self::new(x))
    }

    /// Those of floats.
    pub(super) fn of_floats(x: &Tensor<4>) -> Option<Self> {
        floats(x).map(Self::new)
    }

    fn at(&self, place: [usize; 3]) -> usize {
        let steps = self.steps.iter().zip(place);
        self.start + steps.map(|(step, i)| step * i).sum::<usize>()
    }

    /// The row of a batch, head and query, of `keys` bytes.
    pub(super) fn bytes(&self, place: [usize; 3], keys: usize) -> &[u8] {
        &self.tensor.bytes()[self.at(place)..][..keys]
    }

    /// The row of a batch, head and query, of `keys` values.
    pub(super) fn floats(&self, place: [usize; 3], keys: usize) -> &[f32] {
        &self.tensor.storage::<f32>()[self.at(place)..][..keys]
    }
}
