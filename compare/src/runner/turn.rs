//! A runner that is loaded when it runs, and gone afterwards.

use fluxo_models::Tensors;

use super::{Kind, Runner};
use crate::error::Result;

/// How a runner is loaded.
type Load = Box<dyn Fn() -> Result<Box<dyn Runner>>>;

/// Of several such runners one is in memory at a time.
pub(crate) struct Turn {
    name: String,
    kind: Kind,
    unit: Option<f64>,
    load: Load,
}

impl Turn {
    /// The runner that `load` gives, called `name`, of the kind `kind`, whose precision has the
    /// unit `unit` ([`Runner::unit`]).
    pub fn new(name: &str, kind: Kind, unit: Option<f64>, load: Load) -> Self {
        Self {
            name: name.to_string(),
            kind,
            unit,
            load,
        }
    }
}

impl Runner for Turn {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> Kind {
        self.kind
    }

    fn unit(&self) -> Option<f64> {
        self.unit
    }

    fn run(&mut self, inputs: &Tensors) -> Result<Tensors> {
        (self.load)()?.run(inputs)
    }
}
