//! From paths and names to where runners part.

use std::path::PathBuf;

use burn::tensor::DType;
use fluxo_models::Tensors;

use super::{Source, checked, everything, is_runtime};
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
pub fn locate(
    models: &[PathBuf],
    names: &[String],
    inputs: &Tensors,
) -> Result<Option<Vec<Location>>> {
    let mut sources = Source::all(models)?;
    let asked = !names.is_empty();
    let names = if asked { checked(names)? } else { everything() };
    let any_graph = sources.iter().any(|source| source.graph.is_some());
    let several = sources.len() > 1;
    let (inputs, _) = split(inputs);
    let Some(first) = sources.iter().position(|source| source.checkpoint) else {
        let mut cuts = Vec::new();
        for source in &mut sources {
            for name in names.iter().filter(|name| is_runtime(name)) {
                let label = match several {
                    true => format!("{}:{name}", source.label),
                    false => name.clone(),
                };
                cuts.push(Cut::new(name, &label, source.graph()?)?);
            }
        }
        return Ok(Some(part(&mut cuts, &inputs)?));
    };
    let Some(backend) = referee::backend() else {
        return Ok(None);
    };
    let shelf = Shelf::default();
    let judge = Wanted::new(&sources[first].path, backend, DType::F32)?;
    let mut locator = Locator::on_shelf(&shelf, judge.clone(), &inputs)?;
    let mut found = Vec::new();
    for source in &mut sources {
        for name in &names {
            let takes = match is_runtime(name) {
                true => source.graph.is_some() || !any_graph,
                false => source.checkpoint,
            };
            if !takes {
                continue;
            }
            let label = match several {
                true => format!("{}:{name}", source.label),
                false => name.clone(),
            };
            match source.suspect(name, &label, &shelf, &judge) {
                Ok(mut suspect) => found.push(locator.look(&mut *suspect)?),
                Err(error) if asked => return Err(error),
                // `open` has said why.
                Err(_) => {}
            }
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
