//! A model of the zoo on one backend, part by part.

use fluxo_models::{Model, Part, Request, Tensors, Weights};

use super::referee::probe;
use super::{Asked, Given, Suspect};
use crate::error::Result;
use crate::referee::unit;
use crate::runner::Kind;

/// A model on a backend.
pub struct Accused {
    name: String,
    model: Model,
    gpu: bool,
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
            model: model.clone().to_device(&device),
            gpu: fluxo_backends::is_gpu(backend),
        })
    }

    fn pass(
        &self,
        inputs: &Tensors,
        path: &str,
        only: Option<&str>,
        given: &Given,
    ) -> Result<Vec<Part>> {
        let probe = probe(Weights::AsTheyAre, path, only, given);
        Ok(self.model.probe(inputs, &Request::default(), probe)?.1)
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
        Some(unit(self.model.dtype()))
    }

    fn plain(&mut self, inputs: &Tensors, scope: &Asked<'_>) -> Result<Vec<Part>> {
        self.pass(inputs, scope.path, None, &Given::new())
    }

    fn forced(&mut self, inputs: &Tensors, scope: &Asked<'_>) -> Result<Vec<Part>> {
        self.pass(inputs, scope.path, scope.within, scope.given)
    }
}
