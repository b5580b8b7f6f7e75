//! Whatever computes a model's outputs: a Burn backend, an ONNX runtime, a file of them.

pub mod expected;
mod guard;
pub mod ort;
pub mod ort_library;
mod replay;
pub mod rten;
pub mod tract;

use std::convert::Infallible;
use std::path::Path;

use burn::tensor::{DType, FloatDType};
use fluxo_backends::Products;
use fluxo_backends::kernels::unit;
use fluxo_onnx::file::Signature;

use crate::Tensors;
use crate::error::Result;

pub use guard::guard;
pub use replay::Replay;

/// The runtimes that take an ONNX file.
pub const RUNTIMES: [&str; 3] = [ort::NAME, tract::NAME, rten::NAME];

/// The ONNX file at `path` in the runtime `runtime`, one of [`RUNTIMES`]; reports show it as `name`.
///
/// # Errors
/// When the file cannot be read, or the runtime cannot load it or is not here.
pub fn load(runtime: &str, name: &str, path: &Path) -> Result<Box<dyn Runner>> {
    Ok(match runtime {
        ort::NAME => Box::new(ort::Ort::load(name, path)?),
        tract::NAME => Box::new(tract::Tract::load(name, path)?),
        _ => Box::new(rten::Rten::load(name, path)?),
    })
}

/// Something that computes a model's outputs from its inputs.
pub trait Runner {
    /// What others know of it.
    fn label(&self) -> &Label;

    /// [`Label::name`].
    fn name(&self) -> &str {
        &self.label().name
    }

    /// What the last run took, where the runner measures that better than a clock around it.
    fn cost(&self) -> Option<Cost> {
        None
    }

    /// The outputs for `inputs`, by name.
    ///
    /// # Errors
    /// [`Error::Input`](crate::Error::Input) when the inputs do not fit the model,
    /// [`Error::Runner`](crate::Error::Runner) when the runtime fails on them.
    fn run(&mut self, inputs: &Tensors) -> Result<Tensors>;
}

/// What others know of a runner.
#[derive(Debug, Clone, PartialEq)]
pub struct Label {
    /// The name that reports show: `flex`, `tract`, `mymodel:wgpu:1`.
    pub name: String,
    /// What it is: decides tolerances and which outputs it owes.
    pub kind: Kind,
    /// A unit of the last place of 1 in the precision that it computes in; `None` where that is
    /// the model's own.
    pub unit: Option<f64>,
    /// The element type of a file's weights, where that is not float32.
    pub declared: Option<DType>,
    /// What it computes with, where that is less than its type says: `f32 with products in TF32`.
    pub arithmetic: Option<String>,
}

impl Label {
    /// Of a runner that computes in the model's own precision.
    pub fn new(name: &str, kind: Kind) -> Self {
        Self {
            name: name.to_string(),
            kind,
            unit: None,
            declared: None,
            arithmetic: None,
        }
    }

    /// Of a runtime with the file that says `signature` of itself.
    pub fn of_file(name: &str, signature: &Signature) -> Self {
        Self {
            declared: signature.weights,
            ..Self::new(name, Kind::Graph)
        }
    }

    /// Of the backend `backend` that computes in `dtype`. What a graphics card's products really
    /// compute with is found by multiplying.
    pub fn backend(name: &str, backend: &str, dtype: DType) -> Self {
        let gpu = fluxo_backends::is_gpu(backend);
        let products = gpu.then(|| products(backend, dtype)).flatten();
        let arithmetic = products.filter(|products| !products.full());
        Self {
            unit: Some(products.map_or(unit(dtype), |products| products.unit())),
            arithmetic: arithmetic.map(|products| products.to_string()),
            ..Self::new(name, Kind::Backend { gpu })
        }
    }
}

/// What the products of `backend` compute with; `None` where it is not here, or fails at them.
fn products(backend: &str, dtype: DType) -> Option<Products> {
    let device = fluxo_backends::device(backend).ok()?;
    let dtype = FloatDType::from(dtype);
    let products = || Ok::<_, Infallible>(fluxo_backends::products(&device, dtype));
    guard(backend, products).ok().flatten()
}

/// What a run took.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cost {
    /// Milliseconds, without loading the model.
    pub ms: f64,
    /// The most memory, in bytes, that the process held; `None` where the system does not say.
    pub peak_bytes: Option<u64>,
}

/// The kinds of runners.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A Burn backend; gives everything that the model computes.
    Backend {
        /// Whether it computes on a GPU.
        gpu: bool,
    },
    /// A runtime with an ONNX file; gives what the file declares.
    Graph,
    /// Expected outputs; gives what was saved.
    File,
    /// The exact outputs; gives everything that the model computes.
    Referee,
}

impl Kind {
    /// Whether a runner of this kind must also give an output that one of the kind `giver`
    /// gives. A file holds what was saved, and a graph what it was exported with.
    pub fn owes(self, giver: Self) -> bool {
        match (self, giver) {
            (Self::File, _)
            | (_, Self::File)
            | (Self::Graph, Self::Backend { .. } | Self::Referee) => false,
            (Self::Graph, Self::Graph) | (Self::Backend { .. } | Self::Referee, _) => true,
        }
    }
}

/// `wgpu:1:f16` as `wgpu:1` and the element type behind it.
pub fn precision(name: &str) -> (&str, Option<DType>) {
    let dtype = |name| match name {
        "f64" => Some(DType::F64),
        "f32" => Some(DType::F32),
        "f16" => Some(DType::F16),
        "bf16" => Some(DType::BF16),
        _ => None,
    };
    match name.rsplit_once(':') {
        Some((backend, last)) if dtype(last).is_some() => (backend, dtype(last)),
        _ => (name, None),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn graphs_owe_each_other_and_backends_owe_graphs() {
        let backend = Kind::Backend { gpu: false };
        assert!(
            backend.owes(Kind::Graph) && backend.owes(backend) && Kind::Graph.owes(Kind::Graph)
        );
        assert!(
            !Kind::Graph.owes(backend) && !Kind::File.owes(backend) && !backend.owes(Kind::File)
        );
    }
}
