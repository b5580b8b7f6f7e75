//! A model whose parts run: in memory, or on disk and brought in as far as they run.

use fluxo_models::{Model, Part, Probe, Request, Tensors};

use crate::error::{Result, zoo};
use crate::shelf::{Shelf, Wanted};

/// A model.
pub(super) enum Held {
    /// In memory.
    Model(Box<Model>),
    /// A checkpoint on a shelf that other models share. A pass that runs one block or head takes
    /// the weights of that alone, unless all are there.
    Checkpoint {
        shelf: Shelf,
        wanted: Wanted,
        /// The part that ran last by itself.
        part: Option<(String, Box<Model>)>,
    },
}

impl Held {
    /// The checkpoint `wanted`, from `shelf`.
    pub fn checkpoint(shelf: &Shelf, wanted: Wanted) -> Self {
        Self::Checkpoint {
            shelf: shelf.clone(),
            wanted,
            part: None,
        }
    }

    /// The parts that `probe` notes in a pass that runs the block or head `only`, or everything.
    ///
    /// # Errors
    /// When the inputs do not fit the model, or its weights cannot be loaded.
    pub fn pass(
        &mut self,
        inputs: &Tensors,
        only: Option<&str>,
        probe: Probe,
    ) -> Result<Vec<Part>> {
        let whole;
        let model = match self {
            Self::Model(model) => &**model,
            Self::Checkpoint {
                shelf,
                wanted,
                part,
            } => match only.filter(|_| !shelf.holds(wanted)) {
                Some(only) => {
                    let known = part.take().filter(|(known, _)| known == only);
                    let model = match known {
                        Some((_, model)) => model,
                        None => Box::new(wanted.part(only)?),
                    };
                    &part.insert((only.to_string(), model)).1
                }
                None => {
                    *part = None;
                    whole = shelf.model(wanted)?;
                    &whole
                }
            },
        };
        Ok(model
            .probe(inputs, &Request::default(), probe)
            .map_err(zoo)?
            .1)
    }
}
