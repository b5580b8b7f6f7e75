//! Expected outputs, read from the inputs' file.

use fluxo_models::Tensors;

use super::{Kind, Runner};
use crate::error::Result;

/// The name that reports show.
pub const NAME: &str = "file";

/// Gives the same outputs whatever goes in.
#[derive(Debug)]
pub struct File {
    expected: Tensors,
}

impl File {
    /// The runner of the `expected` outputs, without their `out.` prefix
    /// (see [`split`](crate::inputs::split)).
    pub fn new(expected: Tensors) -> Self {
        Self { expected }
    }
}

impl Runner for File {
    fn name(&self) -> &str {
        NAME
    }

    fn kind(&self) -> Kind {
        Kind::File
    }

    fn run(&mut self, _inputs: &Tensors) -> Result<Tensors> {
        Ok(self.expected.clone())
    }
}
