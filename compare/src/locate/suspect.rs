//! A model whose parts can be looked at, and what it is asked for.

use std::collections::BTreeMap;

use burn::tensor::TensorData;
use fluxo_models::{ModuleIo, Tensors};
use fluxo_verify::diff::tolerance::{COARSE, PART_FLOOR, PART_MARGIN};

use crate::error::Result;
use crate::runner::{Kind, Label};

/// What parts read, by path.
pub type ForcedInputs = BTreeMap<String, TensorData>;

/// A model whose parts can be looked at.
pub trait Suspect {
    /// What others know of it; where its unit is `None`, that is the referee's model's.
    fn label(&self) -> &Label;

    /// Whether it is what the noise was measured with, so that no part of it can be off by more.
    fn is_measure(&self) -> bool {
        false
    }

    /// What writes the output of the part `path`, where that has a name of its own.
    fn node(&self, _path: &str) -> Option<String> {
        None
    }

    /// What the parts of `scope` write in a plain run, as far as they can be seen.
    ///
    /// # Errors
    /// When the run fails.
    fn plain(&mut self, inputs: &Tensors, scope: &ProbeRequest<'_>) -> Result<Vec<ModuleIo>>;

    /// What each of them writes when it reads `scope.given`, as far as they can be cut out.
    ///
    /// # Errors
    /// When the run fails.
    fn forced(&mut self, inputs: &Tensors, scope: &ProbeRequest<'_>) -> Result<Vec<ModuleIo>>;
}

/// What a suspect is asked for.
#[derive(Debug)]
pub struct ProbeRequest<'a> {
    /// The parts whose parts are looked at, all of one block; an empty one is the whole network.
    pub paths: &'a [String],
    /// The block or head in which it stands; `None` for the whole network.
    pub within: Option<&'a str>,
    /// What the parts of the referee read and wrote.
    pub exact: &'a [ModuleIo],
    /// What is fed to the parts, the block's own input and an encoder's output among it.
    pub given: &'a ForcedInputs,
}

/// The largest error of a part that rounding explains, for a runner of the kind `kind`.
pub(super) fn allowed(kind: Kind, noise: f64) -> f64 {
    let coarse = match kind {
        Kind::Backend { gpu: true } => COARSE,
        _ => 1.0,
    };
    (coarse * PART_MARGIN * noise).max(PART_FLOOR)
}
