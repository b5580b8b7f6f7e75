//! A model of the zoo on one Burn backend.

use burn::tensor::DType;
use fluxo_models::{Model, OutputOptions, Tensors};

use super::{Label, Runner, guard};
use crate::encoding::Encoding;
use crate::error::{Result, zoo};
use crate::precision;

/// A model on a backend.
pub struct Burn {
    label: Label,
    model: Model,
    request: OutputOptions,
    encoding: Encoding,
}

impl Burn {
    /// `model`, moved to the backend `backend` ("flex", "wgpu:1"), shown as `name`; `request`
    /// says which outputs beside the usual it gives.
    ///
    /// # Errors
    /// When the backend is unknown, not compiled in, or finds no device here.
    pub fn new(name: &str, model: &Model, backend: &str, request: OutputOptions) -> Result<Self> {
        let device = fluxo_backends::device(backend)?;
        let label = Label::backend(name, backend, model.dtype());
        Ok(Self::of(label, model.clone().to_device(&device), request))
    }

    /// [`Burn::new`], the weights and the arithmetic in the element type `dtype`.
    ///
    /// # Errors
    /// As [`Burn::new`], and when the device does not compute in `dtype`.
    pub fn in_precision(
        name: &str,
        model: &Model,
        backend: &str,
        request: OutputOptions,
        dtype: DType,
    ) -> Result<Self> {
        let device = precision::device(backend, dtype)?;
        let label = Label::backend(name, backend, dtype);
        let model = model.clone().to_device(&device).in_precision(dtype);
        Ok(Self::of(label, model, request))
    }

    fn of(label: Label, model: Model, request: OutputOptions) -> Self {
        Self {
            label,
            model,
            request,
            encoding: Encoding::default(),
        }
    }
}

impl Runner for Burn {
    fn label(&self) -> &Label {
        &self.label
    }

    fn run(&mut self, inputs: &Tensors) -> Result<Tensors> {
        // A device that is out of memory panics.
        let run = || {
            let ran = self.encoding.run(&self.model, &self.request, inputs, None);
            Ok::<_, std::convert::Infallible>(ran)
        };
        guard(&self.label.name, run)?.map_err(zoo)
    }
}
