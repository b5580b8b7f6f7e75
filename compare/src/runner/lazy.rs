//! A runner that is loaded when it runs, and gone afterwards.

use fluxo_models::Tensors;

use super::{Label, Runner};
use crate::error::Result;

/// How a runner is loaded.
type Load = Box<dyn Fn() -> Result<Box<dyn Runner>>>;

/// Of several such runners one is in memory at a time.
pub(crate) struct LazyRunner {
    label: Label,
    load: Load,
}

impl LazyRunner {
    /// The runner that `load` gives, which others know as `label`.
    pub fn new(label: Label, load: Load) -> Self {
        Self { label, load }
    }
}

impl Runner for LazyRunner {
    fn label(&self) -> &Label {
        &self.label
    }

    fn run(&mut self, inputs: &Tensors) -> Result<Tensors> {
        (self.load)()?.run(inputs)
    }
}
