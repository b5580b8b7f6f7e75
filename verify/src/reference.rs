//! The exact outputs of a model on some inputs, and how far from them rounding explains.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{DType, Tensor, TensorData};
use fluxo_backends::kernels::unit;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::Tensors;
use crate::diff::Rounding;

/// What reports call the exact outputs.
pub const NAME: &str = "float64";
/// Perturbed runs beside the plain one.
pub const RUNS: u64 = 2;

/// Of each output, how far from the exact one rounding explains.
pub type Noise = BTreeMap<String, Rounding>;

/// The referee's answer for one set of inputs.
#[derive(Debug, Clone, PartialEq)]
pub struct Reference {
    /// The exact outputs.
    pub exact: Tensors,
    /// Their noise.
    pub noise: Noise,
    /// A unit of the last place of the precision whose noise it is.
    pub unit: f64,
    /// The same of the weights as files have them that declare another precision: of weights
    /// rounded to it, and of the arithmetic over such.
    pub declared: Vec<(DType, Reference)>,
}

impl Reference {
    /// Of the model's own precision, whose unit of the last place is `unit`.
    pub fn new(exact: Tensors, noise: Noise, unit: f64) -> Self {
        Self {
            exact,
            noise,
            unit,
            declared: Vec::new(),
        }
    }

    /// What judges a runner whose weights are of the precision `declared`, where it says so.
    pub fn of(&self, declared: Option<DType>) -> &Self {
        let own = |(dtype, _): &&(DType, Self)| Some(*dtype) == declared;
        let found = self.declared.iter().find(own);
        found.map_or(self, |(_, reference)| reference)
    }
}

/// Rounding explains as much as what is `given` of a module's outputs lies from the exact ones.
pub fn explained(noise: &mut Noise, exact: &Tensors, given: &Tensors) {
    for (name, given) in given {
        if let Some(exact) = exact.get(name) {
            let noise = noise.entry(name.clone());
            let noise = noise.or_insert_with(|| Rounding::of_output(0.0));
            noise.widen(exact, given, None);
        }
    }
}

/// A backend of this build that computes in float64.
pub fn backend() -> Option<&'static str> {
    let mut names = ["flex", "ndarray"].into_iter();
    names.find(|name| fluxo_backends::device(name).is_ok())
}

/// `module` with every weight moved by a unit of its last place in `dtype`.
pub fn nudged<M: Module>(module: M, seed: u64, dtype: DType) -> M {
    let mut nudge = Nudge {
        random: StdRng::seed_from_u64(seed),
        unit: unit(dtype) as f32,
    };
    module.map(&mut nudge)
}

struct Nudge {
    random: StdRng,
    unit: f32,
}

impl ModuleMapper for Nudge {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, value, mapper) = param.consume();
        let (device, dtype) = (value.device(), value.dtype());
        let data = value.into_data();
        let shape = data.shape().clone();
        let moved: Vec<f32> = data
            .iter::<f32>()
            .map(|weight| {
                if self.random.random::<bool>() {
                    weight * (1.0 + self.unit)
                } else {
                    weight * (1.0 - self.unit)
                }
            })
            .collect();
        let moved = Tensor::from_data(TensorData::new(moved, shape), (&device, dtype));
        Param::from_mapped_value(id, moved, mapper)
    }
}
