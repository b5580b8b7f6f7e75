//! A model whose parts run: in memory, or on disk and brought in as far as they run.

use fluxo_models::{Model, ModuleIo, OutputOptions, Probe, Tensors};

use crate::checkpoint_cache::{CheckpointCache, CheckpointSpec};
use crate::error::{Result, zoo};

/// A model.
pub(super) enum ModelSource {
    /// In memory.
    Model(Box<Model>),
    /// A checkpoint in a cache that other models share. A pass that runs one block or head takes
    /// the weights of that alone, unless all are there.
    Checkpoint {
        checkpoints: CheckpointCache,
        wanted: CheckpointSpec,
        /// The part that ran last by itself.
        part: Option<(String, Box<Model>)>,
    },
}

impl ModelSource {
    /// The checkpoint `wanted`, from the cache `checkpoints`.
    pub fn checkpoint(checkpoints: &CheckpointCache, wanted: CheckpointSpec) -> Self {
        Self::Checkpoint {
            checkpoints: checkpoints.clone(),
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
    ) -> Result<Vec<ModuleIo>> {
        let whole;
        let model = match self {
            Self::Model(model) => &**model,
            Self::Checkpoint {
                checkpoints,
                wanted,
                part,
            } => match only.filter(|_| !checkpoints.holds(wanted)) {
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
                    whole = checkpoints.model(wanted)?;
                    &whole
                }
            },
        };
        Ok(model
            .probe(inputs, &OutputOptions::default(), probe)
            .map_err(zoo)?
            .1)
    }
}
