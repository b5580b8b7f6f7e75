//! A model of the zoo on one Burn backend.

use burn::tensor::DType;
use fluxo_models::{Model, Request, Tensors};

use super::{Kind, Runner, guard};
use crate::error::Result;
use crate::referee::unit;

/// A model on a backend.
pub struct Burn {
    name: String,
    model: Model,
    request: Request,
    gpu: bool,
}

impl Burn {
    /// `model`, moved to the backend `backend` ("flex", "wgpu:1"), shown as `name`; `request`
    /// says which outputs beside the usual it gives.
    ///
    /// # Errors
    /// When the backend is unknown, not compiled in, or finds no device here.
    pub fn new(name: &str, model: &Model, backend: &str, request: Request) -> Result<Self> {
        let device = fluxo_backends::device(backend)?;
        Ok(Self {
            name: name.to_string(),
            model: model.clone().to_device(&device),
            request,
            gpu: fluxo_backends::is_gpu(backend),
        })
    }
}

impl Burn {
    /// [`Burn::new`], the weights and the arithmetic in the element type `dtype`.
    ///
    /// # Errors
    /// As [`Burn::new`], and when the device does not compute in `dtype`.
    pub fn in_precision(
        name: &str,
        model: &Model,
        backend: &str,
        request: Request,
        dtype: DType,
    ) -> Result<Self> {
        if !fluxo_backends::device(backend)?.supports_dtype(dtype) {
            return Err(fluxo_models::Error::Dtype { dtype }.into());
        }
        let mut runner = Self::new(name, model, backend, request)?;
        runner.model = runner.model.in_precision(dtype);
        Ok(runner)
    }
}

impl Runner for Burn {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> Kind {
        Kind::Backend { gpu: self.gpu }
    }

    fn unit(&self) -> Option<f64> {
        Some(unit(self.model.dtype()))
    }

    fn run(&mut self, inputs: &Tensors) -> Result<Tensors> {
        // A device that is out of memory panics.
        let run = || Ok::<_, std::convert::Infallible>(self.model.run(inputs, &self.request));
        Ok(guard(&self.name, run)??)
    }
}
