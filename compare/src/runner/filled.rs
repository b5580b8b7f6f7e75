//! A transformer's ONNX file, given what users leave out.

use std::path::Path;

use fluxo_models::Tensors;

use super::{Cost, Label, Runner};
use crate::error::Result;
use crate::inputs;
use crate::inputs::signature::Signature;

/// A file in a runtime that is given what [`inputs::filled`] makes of the inputs, and no more
/// positions than its model has.
pub(crate) struct Filled {
    signature: Signature,
    runner: Box<dyn Runner>,
}

impl Filled {
    /// The ONNX file at `path` in the runtime `runtime`, shown as `name`.
    ///
    /// # Errors
    /// When the file cannot be read, or the runtime cannot load it or is not here.
    pub fn load(runtime: &str, name: &str, path: &Path) -> Result<Self> {
        Ok(Self {
            signature: Signature::read(path)?,
            runner: fluxo_verify::runner::load(runtime, name, path)?,
        })
    }
}

impl Runner for Filled {
    fn label(&self) -> &Label {
        self.runner.label()
    }

    fn cost(&self) -> Option<Cost> {
        self.runner.cost()
    }

    fn run(&mut self, inputs: &Tensors) -> Result<Tensors> {
        let filled = inputs::filled(&self.signature, inputs)?;
        if let Some(positions) = &self.signature.positions {
            positions.check(self.runner.name(), &filled)?;
        }
        self.runner.run(&filled)
    }
}
