//! Which runners there are to be: a backend for each checkpoint, a runtime for each ONNX file.

use super::given::Given;
use super::names::{checked, everything, is_runtime};
use super::source::Source;
use crate::error::Result;

/// What was given, and what is to run it.
pub(super) struct RunnerPlan {
    /// What the paths hold.
    pub sources: Vec<Source>,
    /// Whether the runners were named: then each must be possible.
    pub asked: bool,
    /// By name, and of each name by source.
    pub entries: Vec<Entry>,
}

/// One runner that is to be.
pub(super) struct Entry {
    /// The index of what it runs.
    pub source: usize,
    /// `flex`, `flex:f64`, `tract`.
    pub name: String,
    /// What reports show: the name, behind the model's where there are several.
    pub label: String,
}

impl RunnerPlan {
    /// Of everything in `models` by `names`; without names, by all that this build and machine
    /// have. Where no model has an ONNX file, the runtimes run the checkpoints, exported.
    ///
    /// # Errors
    /// When a path is no model, a name unknown or there twice, a backend or a task named where
    /// there is no checkpoint, or a model given that nothing named takes.
    pub fn new<M: Clone + Into<Given>>(models: &[M], names: &[String]) -> Result<Self> {
        let sources = Source::all(models.iter().map(|model| model.clone().into()))?;
        let asked = !names.is_empty();
        let names = if asked { checked(names)? } else { everything() };
        let any_graph = sources.iter().any(|source| source.graph.is_some());
        let any_checkpoint = sources.iter().any(|source| source.checkpoint);
        if let Some(first) = sources.first().filter(|_| !any_checkpoint) {
            first.refuse_task()?;
        }
        let mut entries = Vec::new();
        for name in &names {
            if let Some(first) = sources.first()
                && asked
                && !is_runtime(name)
                && !any_checkpoint
            {
                return Err(first.no_weights(name));
            }
            for (index, source) in sources.iter().enumerate() {
                let takes = if is_runtime(name) {
                    source.graph.is_some() || !any_graph
                } else {
                    source.checkpoint
                };
                if !takes {
                    continue;
                }
                let label = match sources.len() {
                    1 => name.clone(),
                    _ => format!("{}:{name}", source.label),
                };
                entries.push(Entry {
                    source: index,
                    name: name.clone(),
                    label,
                });
            }
        }
        // The referee runs the first checkpoint, whoever else does.
        let judge = sources.iter().position(|source| source.checkpoint);
        for (index, source) in sources.iter().enumerate() {
            let takes_part = entries.iter().any(|entry: &Entry| entry.source == index);
            if asked && !takes_part && judge != Some(index) {
                return Err(source.untaken(&names));
            }
        }
        Ok(Self {
            sources,
            asked,
            entries,
        })
    }
}
