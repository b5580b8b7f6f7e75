//! From paths and names to where runners part.

use std::path::PathBuf;

use fluxo_models::Tensors;

use super::{Source, checked, everything, is_runtime, precision};
use crate::error::Result;
use crate::inputs::split;
use crate::locate::{Accused, Cut, Location, Locator, Suspect, part};

/// Where each runner that [`open`](super::open) makes of the same parts from the first checkpoint in float64,
/// on `inputs`: [`Locator`]. One suspect is held at a time. Without a checkpoint, where each runtime
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
    sources[first].load()?;
    let locator = match &sources[first].model {
        Some(model) => Locator::new(model, &inputs)?,
        None => None,
    };
    let Some(mut locator) = locator else {
        return Ok(None);
    };
    let mut found = Vec::new();
    for (i, source) in sources.iter_mut().enumerate() {
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
            match source.suspect(name, &label) {
                Ok(mut suspect) => found.push(locator.look(&mut *suspect)?),
                Err(error) if asked => return Err(error),
                // `open` has said why.
                Err(_) => {}
            }
        }
        if i != first {
            source.model = None;
        }
    }
    Ok(Some(found))
}

impl Source {
    /// The runner `name` of this model as one whose parts can be looked at.
    fn suspect(&mut self, name: &str, label: &str) -> Result<Box<dyn Suspect>> {
        if is_runtime(name) {
            if self.graph.is_none() {
                self.load()?;
            }
            return Ok(Box::new(Cut::new(name, label, self.graph()?)?));
        }
        self.load()?;
        let model = self.model.as_ref().ok_or_else(|| self.no_weights(name))?;
        let (backend, dtype) = precision(name);
        match dtype {
            Some(dtype) => {
                let model = model.clone().in_precision(dtype);
                Ok(Box::new(Accused::new(label, &model, backend)?))
            }
            None => Ok(Box::new(Accused::new(label, model, backend)?)),
        }
    }
}
