//! A model of the zoo on one backend, part by part.

use fluxo_models::{Model, Part, Probe, Tensors, Weights};

use super::held::Held;
use super::referee::noting;
use super::{Asked, Given, Suspect};
use crate::error::Result;
use crate::runner::Label;
use crate::shelf::{Shelf, Wanted};

/// A model on a backend.
pub struct Accused {
    label: Label,
    model: Held,
    measure: bool,
}

impl Accused {
    /// `model`, moved to the backend `backend` ("flex", "wgpu:1"), shown as `name`.
    ///
    /// # Errors
    /// When the backend is unknown, not compiled in, or finds no device here.
    pub fn new(name: &str, model: &Model, backend: &str) -> Result<Self> {
        let device = fluxo_backends::device(backend)?;
        Ok(Self {
            label: Label::backend(name, backend, model.dtype()),
            model: Held::Model(Box::new(model.clone().to_device(&device))),
            measure: false,
        })
    }

    /// The checkpoint `wanted` from `shelf`, shown as `name`. `measure` says that it is the one
    /// that the referee's noise is measured with.
    pub(crate) fn on_shelf(name: &str, shelf: &Shelf, wanted: Wanted, measure: bool) -> Self {
        Self {
            label: Label::backend(name, wanted.backend(), wanted.dtype()),
            model: Held::checkpoint(shelf, wanted),
            measure,
        }
    }

    fn pass(
        &mut self,
        inputs: &Tensors,
        paths: &[String],
        only: Option<&str>,
        given: &Given,
    ) -> Result<Vec<Part>> {
        let probe = noting(Probe::new(Weights::AsTheyAre), paths, only, given);
        self.model.pass(inputs, only, probe)
    }
}

impl Suspect for Accused {
    fn label(&self) -> &Label {
        &self.label
    }

    fn is_measure(&self) -> bool {
        self.measure
    }

    fn plain(&mut self, inputs: &Tensors, scope: &Asked<'_>) -> Result<Vec<Part>> {
        self.pass(inputs, scope.paths, None, &Given::new())
    }

    fn forced(&mut self, inputs: &Tensors, scope: &Asked<'_>) -> Result<Vec<Part>> {
        self.pass(inputs, scope.paths, scope.within, scope.given)
    }
}
