//! Models and runners of which one is in memory at a time.

use std::rc::Rc;

use burn::tensor::DType;
use fluxo_models::{Model, OutputOptions};

use super::names::is_runtime;
use super::source::Source;
use crate::checkpoint_cache::{CheckpointCache, CheckpointSpec};
use crate::error::Result;
use crate::export::folder::Draft;
use crate::files::OnnxModelFiles;
use crate::referee;
use crate::runner::{Kind, Label, Runner, backend::Burn, lazy::LazyRunner, ort, ort_library};
use fluxo_verify::runner::precision;

impl Source {
    /// This checkpoint on the backend that `name` names, in the precision that it names.
    ///
    /// # Errors
    /// When there is no checkpoint, or the backend is not here or does not compute in that.
    pub(super) fn wanted(&self, name: &str) -> Result<CheckpointSpec> {
        if !self.checkpoint {
            return Err(self.no_weights(name));
        }
        let (backend, dtype) = precision(name);
        CheckpointSpec::new(&self.path, self.task, backend, dtype.unwrap_or(DType::F32))
    }

    /// The model that the referee judges by, where it judges.
    pub(super) fn judging(&self, checkpoints: &CheckpointCache) -> Result<Model> {
        let default = fluxo_backends::default_name().unwrap_or("flex");
        checkpoints.model(&self.wanted(referee::backend().unwrap_or(default))?)
    }

    /// The runner `name`, loaded when it runs.
    ///
    /// # Errors
    /// When it is not here, or takes no such model.
    pub(super) fn turn(
        &mut self,
        name: &str,
        label: &str,
        request: OutputOptions,
        checkpoints: &CheckpointCache,
    ) -> Result<Box<dyn Runner>> {
        let checkpoints = checkpoints.clone();
        if is_runtime(name) {
            if name == ort::NAME {
                ort_library::environment()?;
            }
            let (graph, folder) = self.graph_in_turn(&checkpoints)?;
            let shown = Label {
                declared: graph.declared(),
                ..Label::new(label, Kind::Graph)
            };
            let (name, label) = (name.to_string(), label.to_string());
            let load = move || {
                // It holds what is loaded.
                let _ = &folder;
                checkpoints.clear();
                graph.load(&name, &label)
            };
            return Ok(Box::new(LazyRunner::new(shown, Box::new(load))));
        }
        let wanted = self.wanted(name)?;
        let shown = Label::backend(label, wanted.backend(), wanted.dtype());
        let label = label.to_string();
        let load = move || -> Result<Box<dyn Runner>> {
            let model = checkpoints.model(&wanted)?;
            Ok(Box::new(Burn::new(
                &label,
                &model,
                wanted.backend(),
                request,
            )?))
        };
        Ok(Box::new(LazyRunner::new(shown, Box::new(load))))
    }

    /// [`Source::graph`] and, where it was exported, the folder that holds it; exporting takes the
    /// model from `checkpoints`.
    pub(super) fn graph_in_turn(
        &mut self,
        checkpoints: &CheckpointCache,
    ) -> Result<(OnnxModelFiles, Option<Rc<Draft>>)> {
        if self.graph.is_none() && self.exported.is_none() {
            self.model = Some(self.judging(checkpoints)?);
        }
        let graph = self.graph();
        self.model = None;
        let folder = self.exported.as_ref().map(|(_, folder)| folder.clone());
        Ok((graph?, folder))
    }
}
