//! From paths and names to where runners part.

use burn::tensor::DType;
use fluxo_models::Tensors;

use super::Given;
use super::lineup::{Entry, Lineup};
use super::names::is_runtime;
use super::source::Source;
use crate::error::Result;
use crate::inputs::split;
use crate::locate::{Accused, Cut, Location, Locator, Suspect, part};
use crate::referee;
use crate::shelf::{Shelf, Wanted};

/// Where each runner that [`open`](super::open) makes of the same parts from the first checkpoint in float64,
/// on `inputs`: [`Locator`]. One model is held at a time. Without a checkpoint, where each runtime
/// parts from the first one ([`part`]). `None` where no backend here computes in float64.
///
/// # Errors
/// As [`open`](super::open), and when the inputs do not fit the model.
pub fn locate<M: Clone + Into<Given>>(
    models: &[M],
    names: &[String],
    inputs: &Tensors,
) -> Result<Option<Vec<Location>>> {
    let Lineup {
        mut sources,
        asked,
        mut entries,
    } = Lineup::new(models, names)?;
    // One model after the other: each is loaded once.
    entries.sort_by_key(|entry| entry.source);
    // `open` says why.
    entries.retain(|entry| asked || sources[entry.source].unfit(&entry.name).is_none());
    let (inputs, _) = split(inputs);
    let Some(first) = sources.iter().position(|source| source.checkpoint) else {
        let mut cuts = Vec::new();
        for entry in &entries {
            let graph = sources[entry.source].graph()?;
            cuts.push(Cut::new(&entry.name, &entry.label, graph)?);
        }
        return Ok(Some(part(&mut cuts, &inputs)?));
    };
    let Some(backend) = referee::backend() else {
        return Ok(None);
    };
    let shelf = Shelf::default();
    let judge = Wanted::new(
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
    } in &entries
    {
        match sources[*source].suspect(name, label, &shelf, &judge) {
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
                        locators.push((declared, Locator::on_shelf(&shelf, judge, &inputs)?));
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
        shelf: &Shelf,
        judge: &Wanted,
    ) -> Result<Box<dyn Suspect>> {
        if is_runtime(name) {
            let (graph, _) = self.graph_in_turn(shelf)?;
            return Ok(Box::new(Cut::new(name, label, graph)?.beside(shelf)));
        }
        let wanted = self.wanted(name)?;
        let measure = wanted == *judge;
        Ok(Box::new(Accused::on_shelf(label, shelf, wanted, measure)))
    }
}
