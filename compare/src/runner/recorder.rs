//! What runners gave, kept for those who show it or hand it on.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use fluxo_models::Tensors;

use crate::error::Result;
use crate::runner::{Cost, Label, Runner};

/// The last outputs of each runner, by its name.
pub type RecordedOutputs = Rc<RefCell<BTreeMap<String, Tensors>>>;

/// `runners`, whose outputs stay from now on, and where they do.
pub fn record(runners: Vec<Box<dyn Runner>>) -> (Vec<Box<dyn Runner>>, RecordedOutputs) {
    let gave = RecordedOutputs::default();
    let kept = |inner| -> Box<dyn Runner> {
        let gave = gave.clone();
        Box::new(Recorder { inner, gave })
    };
    (runners.into_iter().map(kept).collect(), gave)
}

struct Recorder {
    inner: Box<dyn Runner>,
    gave: RecordedOutputs,
}

impl Runner for Recorder {
    fn label(&self) -> &Label {
        self.inner.label()
    }

    fn cost(&self) -> Option<Cost> {
        self.inner.cost()
    }

    fn run(&mut self, inputs: &Tensors) -> Result<Tensors> {
        // What it gave before is not what it gives for these.
        self.gave.borrow_mut().remove(self.inner.name());
        let outputs = self.inner.run(inputs)?;
        let name = self.inner.name().to_string();
        self.gave.borrow_mut().insert(name, outputs.clone());
        Ok(outputs)
    }
}
