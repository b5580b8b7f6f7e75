//! The models of a comparison and the runners that are to be of them. What is exported for runtimes is
//! exported once, whoever asks.

use std::path::Path;

use fluxo_models::{Model, OutputOptions, Tensors};
use fluxo_verify::report::Location;

use super::given::Given;
use super::locate::locate;
use super::names::is_runtime;
use super::plan::{Entry, RunnerPlan};
use super::source::Source;
use crate::checkpoint_cache::CheckpointCache;
use crate::error::{Error, Result};
use crate::files::OnnxModelFiles;
use crate::report::Skipped;
use crate::runner::Runner;

/// Runners, and those that there could be but for a reason.
#[derive(Default)]
pub struct Opened {
    /// Ready to run.
    pub runners: Vec<Box<dyn Runner>>,
    /// Not possible here, or failed to load.
    pub skipped: Vec<Skipped>,
    /// The first checkpoint: its float64 run is the referee.
    pub model: Option<Model>,
    /// What the runners give beside the usual: what was asked, and what the ONNX files have.
    pub request: OutputOptions,
}

/// Where runners are.
pub(crate) enum How<'a> {
    /// In memory.
    Held,
    /// Each in a process of its own, of this program.
    Isolated(&'a Path),
    /// In memory one after the other, the checkpoints from this cache.
    InTurn(&'a CheckpointCache),
}

/// What was given, and what is to run it.
pub(crate) struct Sources(RunnerPlan);

impl Sources {
    /// Of `models` and `names`, as [`open`](super::open) takes them.
    ///
    /// # Errors
    /// When a path is no model, or a runner that was named is unknown or takes none of them.
    pub fn new<M: Clone + Into<Given>>(models: &[M], names: &[String]) -> Result<Self> {
        Ok(Self(RunnerPlan::new(models, names)?))
    }

    /// The ONNX files among the models.
    pub fn files(&self) -> Vec<OnnxModelFiles> {
        let own = self.0.sources.iter().filter(|source| !source.checkpoint);
        own.filter_map(|source| source.graph.clone()).collect()
    }

    /// Where each runner parts from the first checkpoint in float64, on `inputs`; `None` where no
    /// backend here computes in float64.
    ///
    /// # Errors
    /// As [`Sources::open`], and when the inputs do not fit the model.
    pub fn locate(&mut self, inputs: &Tensors) -> Result<Option<Vec<Location>>> {
        locate(&mut self.0, inputs)
    }

    /// The runners, where `how` says.
    ///
    /// # Errors
    /// As [`open`](super::open).
    pub fn open(&mut self, request: OutputOptions, how: How<'_>) -> Result<Opened> {
        let RunnerPlan {
            sources,
            asked,
            entries,
        } = &mut self.0;
        let asked = *asked;
        let request = sources.iter().try_fold(request, Source::asked)?;
        let mut opened = Opened {
            request,
            ..Opened::default()
        };
        let mut unloaded = None;
        for Entry {
            source,
            name,
            label,
        } in entries.iter()
        {
            let source = &mut sources[*source];
            if let Some(reason) = source.unfit(name).filter(|_| !asked) {
                opened.skipped.push(Skipped {
                    runner: label.clone(),
                    reason,
                });
                continue;
            }
            if matches!(how, How::Held) && (!is_runtime(name) || source.graph.is_none()) {
                source.load()?;
            }
            let runner = match how {
                How::Held => source.runner(name, label, request),
                How::Isolated(program) => source.child(name, label, request, program),
                How::InTurn(checkpoints) => source.turn(name, label, request, checkpoints),
            };
            match runner {
                Ok(runner) => opened.runners.push(runner),
                Err(error) if asked && !matches!(error, Error::Runner { .. }) => return Err(error),
                Err(error) => {
                    opened.skipped.push(Skipped {
                        runner: label.clone(),
                        reason: error.to_string(),
                    });
                    unloaded.get_or_insert(error);
                }
            }
        }
        if let (true, true, Some(error)) = (asked, opened.runners.is_empty(), unloaded) {
            return Err(error);
        }
        if let Some(source) = sources.iter_mut().find(|source| source.checkpoint) {
            opened.model = match how {
                How::InTurn(checkpoints) => Some(source.judging(checkpoints)?),
                _ => {
                    source.load()?;
                    source.model.take()
                }
            };
        }
        // The runners have it.
        sources.iter_mut().for_each(|source| source.model = None);
        Ok(opened)
    }
}
