//! A model of the zoo on one backend, part by part.

use fluxo_models::{Model, ModuleIo, Probe, Tensors, Weights};

use super::model_source::ModelSource;
use super::reference::noting;
use super::suspect::{ForcedInputs, ProbeRequest, Suspect};
use crate::checkpoint_cache::{CheckpointCache, CheckpointSpec};
use crate::error::Result;
use crate::runner::Label;

/// A model on a backend.
pub struct BackendSuspect {
    label: Label,
    model: ModelSource,
    measure: bool,
}

impl BackendSuspect {
    /// `model`, moved to the backend `backend` ("flex", "wgpu:1"), shown as `name`.
    ///
    /// # Errors
    /// When the backend is unknown, not compiled in, or finds no device here.
    pub fn new(name: &str, model: &Model, backend: &str) -> Result<Self> {
        let device = fluxo_backends::device(backend)?;
        Ok(Self {
            label: Label::backend(name, backend, model.dtype()),
            model: ModelSource::Model(Box::new(model.clone().to_device(&device))),
            measure: false,
        })
    }

    /// The checkpoint `wanted` from `checkpoints`, shown as `name`. `measure` says that it is the one
    /// that the referee's noise is measured with.
    pub(crate) fn cached(
        name: &str,
        checkpoints: &CheckpointCache,
        wanted: CheckpointSpec,
        measure: bool,
    ) -> Self {
        Self {
            label: Label::backend(name, wanted.backend(), wanted.dtype()),
            model: ModelSource::checkpoint(checkpoints, wanted),
            measure,
        }
    }

    fn pass(
        &mut self,
        inputs: &Tensors,
        paths: &[String],
        only: Option<&str>,
        given: &ForcedInputs,
    ) -> Result<Vec<ModuleIo>> {
        let probe = noting(Probe::new(Weights::AsTheyAre), paths, only, given);
        self.model.pass(inputs, only, probe)
    }
}

impl Suspect for BackendSuspect {
    fn label(&self) -> &Label {
        &self.label
    }

    fn is_measure(&self) -> bool {
        self.measure
    }

    fn plain(&mut self, inputs: &Tensors, scope: &ProbeRequest<'_>) -> Result<Vec<ModuleIo>> {
        self.pass(inputs, scope.paths, None, &ForcedInputs::new())
    }

    fn forced(&mut self, inputs: &Tensors, scope: &ProbeRequest<'_>) -> Result<Vec<ModuleIo>> {
        self.pass(inputs, scope.paths, scope.within, scope.given)
    }
}
