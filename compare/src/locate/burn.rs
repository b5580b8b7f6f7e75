//! A model of the zoo on one backend, part by part.

use burn::tensor::DType;
use fluxo_models::{Model, Part, Tensors, Weights};

use super::held::Held;
use super::referee::probe;
use super::{Asked, Given, Suspect};
use crate::error::Result;
use crate::referee::unit;
use crate::runner::Kind;
use crate::shelf::{Shelf, Wanted};

/// A model on a backend.
pub struct Accused {
    name: String,
    model: Held,
    dtype: DType,
    gpu: bool,
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
            name: name.to_string(),
            model: Held::Model(Box::new(model.clone().to_device(&device))),
            dtype: model.dtype(),
            gpu: fluxo_backends::is_gpu(backend),
            measure: false,
        })
    }

    /// The checkpoint `wanted` from `shelf`, shown as `name`. `measure` says that it is the one
    /// that the referee's noise is measured with.
    pub(crate) fn on_shelf(name: &str, shelf: &Shelf, wanted: Wanted, measure: bool) -> Self {
        Self {
            name: name.to_string(),
            dtype: wanted.dtype(),
            gpu: fluxo_backends::is_gpu(wanted.backend()),
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
        let probe = probe(Weights::AsTheyAre, paths, only, given);
        self.model.pass(inputs, only, probe)
    }
}

impl Suspect for Accused {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> Kind {
        Kind::Backend { gpu: self.gpu }
    }

    fn unit(&self) -> Option<f64> {
        Some(unit(self.dtype))
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
