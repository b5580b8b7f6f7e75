//! From paths and names to where runners part.

use burn::tensor::DType;
use fluxo_models::Tensors;

use super::names::is_runtime;
use super::plan::{Entry, RunnerPlan};
use super::source::Source;
use crate::checkpoint_cache::{CheckpointCache, CheckpointSpec};
use crate::error::Result;
use crate::inputs::split;
use crate::locate::{BackendSuspect, Location, Locator, OnnxSuspect, Suspect, bisect};
use crate::referee;

/// [`open::locate`](super::locate) of what `plan` has.
///
/// # Errors
/// As that.
pub(super) fn locate(plan: &mut RunnerPlan, inputs: &Tensors) -> Result<Option<Vec<Location>>> {
    let RunnerPlan {
        sources,
        asked,
        entries,
    } = plan;
    let asked = *asked;
    let mut entries: Vec<&Entry> = entries.iter().collect();
    // One model after the other: each is loaded once.
    entries.sort_by_key(|entry| entry.source);
    // `open` says why.
    entries.retain(|entry| asked || sources[entry.source].unfit(&entry.name).is_none());
    let (inputs, _) = split(inputs);
    let Some(first) = sources.iter().position(|source| source.checkpoint) else {
        let mut cuts = Vec::new();
        for entry in &entries {
            let graph = sources[entry.source].graph()?;
            cuts.push(OnnxSuspect::new(&entry.name, &entry.label, graph)?);
        }
        return Ok(Some(bisect(&mut cuts, &inputs)?));
    };
    let Some(backend) = referee::backend() else {
        return Ok(None);
    };
    let checkpoints = CheckpointCache::default();
    let judge = CheckpointSpec::new(
        &sources[first].path,
        sources[first].task,
        backend,
        DType::F32,
    )?;
    // One for each precision of weights that files declare.
    let mut locators: Vec<(Option<DType>, Locator<'_>)> = Vec::new();
    let mut found = Vec::new();
    for Entry {
        source,
        name,
        label,
    } in entries
    {
        match sources[*source].suspect(name, label, &checkpoints, &judge) {
            Ok(mut suspect) => {
                let declared = suspect.label().declared;
                let known = locators.iter().position(|(known, _)| *known == declared);
                let index = match known {
                    Some(index) => index,
                    None => {
                        let judge = match declared {
                            Some(declared) => judge.declared(declared)?,
                            None => judge.clone(),
                        };
                        locators.push((declared, Locator::cached(&checkpoints, judge, &inputs)?));
                        locators.len() - 1
                    }
                };
                found.push(locators[index].1.look(&mut *suspect)?);
            }
            Err(error) if asked => return Err(error),
            // `open` has said why.
            Err(_) => {}
        }
    }
    Ok(Some(found))
}

impl Source {
    /// The runner `name` of this model as one whose parts can be looked at, beside the referee
    /// `judge`.
    fn suspect(
        &mut self,
        name: &str,
        label: &str,
        checkpoints: &CheckpointCache,
        judge: &CheckpointSpec,
    ) -> Result<Box<dyn Suspect>> {
        if is_runtime(name) {
            let (graph, _) = self.graph_in_turn(checkpoints)?;
            return Ok(Box::new(
                OnnxSuspect::new(name, label, graph)?.beside(checkpoints),
            ));
        }
        let wanted = self.wanted(name)?;
        let measure = wanted == *judge;
        Ok(Box::new(BackendSuspect::cached(
            label,
            checkpoints,
            wanted,
            measure,
        )))
    }
}
