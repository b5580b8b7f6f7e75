//! Whatever computes a model's outputs: a Burn backend, an ONNX runtime, a file of them.

pub mod burn;
pub mod chain;
pub mod child;
pub mod file;
pub(crate) mod guard;
pub mod ort;
pub mod ort_library;
pub(crate) mod replay;
pub mod rten;
pub mod split;
pub mod tract;
pub(crate) mod turn;

use ::burn::tensor::DType;
use fluxo_models::Tensors;

use crate::error::Result;
use crate::referee::unit;
use crate::signature::Signature;
use guard::guard;

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
}

impl Label {
    /// Of a runner that computes in the model's own precision.
    pub fn new(name: &str, kind: Kind) -> Self {
        Self {
            name: name.to_string(),
            kind,
            unit: None,
            declared: None,
        }
    }

    /// Of a runtime with the file that says `signature` of itself.
    pub(crate) fn of_file(name: &str, signature: &Signature) -> Self {
        Self {
            declared: signature.weights,
            ..Self::new(name, Kind::Graph)
        }
    }

    /// Of the backend `backend` that computes in `dtype`.
    pub fn backend(name: &str, backend: &str, dtype: DType) -> Self {
        let gpu = fluxo_backends::is_gpu(backend);
        Self {
            unit: Some(unit(dtype)),
            ..Self::new(name, Kind::Backend { gpu })
        }
    }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::testing::{fixture, skip};

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

    fn loaded() -> Vec<Box<dyn Runner>> {
        let path = fixture("cached.onnx");
        let mut runners: Vec<Box<dyn Runner>> = vec![
            Box::new(tract::Tract::load("tract", &path).unwrap()),
            Box::new(rten::Rten::load("rten", &path).unwrap()),
        ];
        match ort::Ort::load("ort", &path) {
            Ok(runner) => runners.push(Box::new(runner)),
            Err(error) => skip("the toy decoder in ONNX Runtime", error),
        }
        runners
    }

    #[test]
    fn every_runtime_gives_what_onnx_itself_gives() {
        let inputs = fluxo_models::tensors::read(&fixture("cached.safetensors")).unwrap();
        let mut runners = loaded();
        let report = crate::compare(&mut runners, &inputs, None).unwrap();
        assert!(report.agrees(), "{report}");
        assert_eq!(report.skipped, []);
        // Three outputs of every pair; the file is one more runner.
        let all = runners.len() + 1;
        assert_eq!(report.pairs.len(), 3 * all * (all - 1) / 2);
    }

    #[test]
    fn one_loaded_file_serves_every_size_and_an_empty_past() {
        let mut runners = loaded();
        for shape in [[1, 1], [3, 5], [1, 4], [2, 17]] {
            let ids = (0..shape[0] * shape[1])
                .map(|i| (i % 6) as i64)
                .collect::<Vec<_>>();
            let inputs = Tensors::from([(
                "input_ids".to_string(),
                ::burn::tensor::TensorData::new(ids, shape),
            )]);
            let report = crate::compare(&mut runners, &inputs, None).unwrap();
            assert!(
                report.agrees() && report.skipped.is_empty(),
                "{shape:?}\n{report}"
            );
            let cache = &runners[0].run(&inputs).unwrap()["present.0.key"];
            assert_eq!(cache.shape().as_slice(), [shape[0], 2, shape[1], 4]);
        }
    }

    #[test]
    fn an_index_out_of_the_vocabulary_is_an_error_and_no_panic() {
        let inputs = Tensors::from([(
            "input_ids".to_string(),
            ::burn::tensor::TensorData::new(vec![99_i64], [1, 1]),
        )]);
        for runner in &mut loaded() {
            let error = runner.run(&inputs).unwrap_err().to_string();
            assert!(
                error.starts_with(runner.name()) && !error.contains('\n'),
                "{error}"
            );
        }
    }
}
