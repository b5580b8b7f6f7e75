//! Checkpoints on disk, of which at most one is in memory.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use burn::tensor::{DType, Device};
use fluxo_models::{Model, Task};

use crate::error::{Result, zoo};
use crate::precision;

/// A checkpoint, and where and in which precision it is wanted.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CheckpointSpec {
    path: PathBuf,
    task: Option<Task>,
    backend: String,
    dtype: DType,
    /// What the weights are rounded to before they come into `dtype`.
    rounded: Option<DType>,
}

impl CheckpointSpec {
    /// The checkpoint in `path`, for `task` where that is not its own, on the backend `backend` in
    /// the precision `dtype`.
    ///
    /// # Errors
    /// When the backend is unknown, not compiled in, finds no device or does not compute in
    /// `dtype`.
    pub fn new(path: &Path, task: Option<Task>, backend: &str, dtype: DType) -> Result<Self> {
        precision::device(backend, dtype)?;
        Ok(Self {
            path: path.to_path_buf(),
            task,
            backend: backend.to_string(),
            dtype,
            rounded: None,
        })
    }

    /// The same as files have it whose weights are of the element type `declared`.
    ///
    /// # Errors
    /// When the backend does not compute in it.
    pub fn declared(&self, declared: DType) -> Result<Self> {
        match declared {
            // For weights alone.
            DType::BF16 => Ok(Self {
                rounded: Some(declared),
                ..self.clone()
            }),
            _ => Self::new(&self.path, self.task, &self.backend, declared),
        }
    }

    /// The backend.
    pub fn backend(&self) -> &str {
        &self.backend
    }

    /// The precision.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    fn device(&self) -> Result<Device> {
        Ok(fluxo_backends::device(&self.backend)?)
    }

    /// The model, to run the block or head `part` alone.
    ///
    /// # Errors
    /// When the checkpoint cannot be loaded.
    pub fn part(&self, part: &str) -> Result<Model> {
        let device = self.device()?;
        let dtype = self.rounded.unwrap_or(self.dtype);
        let model = Model::load_part(&self.path, self.task, &device, dtype, part).map_err(zoo)?;
        Ok(self.brought(model))
    }

    /// `model`, as it was loaded, in the precision that is wanted.
    fn brought(&self, model: Model) -> Model {
        match self.rounded {
            Some(_) => model.in_precision(self.dtype),
            None => model,
        }
    }
}

/// Holds the model that was asked for last, for all who share it.
#[derive(Clone, Default)]
pub(crate) struct CheckpointCache(Rc<RefCell<Option<(CheckpointSpec, Model)>>>);

impl CheckpointCache {
    /// Whether `wanted` is there.
    pub fn holds(&self, wanted: &CheckpointSpec) -> bool {
        let held = self.0.borrow();
        held.as_ref().is_some_and(|(known, _)| known == wanted)
    }

    /// The model `wanted`, which takes the place of another one. It shares its weights with the
    /// cache's, and holds them as long as it lives.
    ///
    /// # Errors
    /// When the checkpoint cannot be loaded.
    pub fn model(&self, wanted: &CheckpointSpec) -> Result<Model> {
        if let Some((known, model)) = self.0.borrow().as_ref()
            && known == wanted
        {
            return Ok(model.clone());
        }
        self.clear();
        let device = wanted.device()?;
        let dtype = wanted.rounded.unwrap_or(wanted.dtype);
        let (model, _) = Model::load_as(&wanted.path, wanted.task, &device, dtype).map_err(zoo)?;
        let model = wanted.brought(model);
        *self.0.borrow_mut() = Some((wanted.clone(), model.clone()));
        Ok(model)
    }

    /// Forgets what is there.
    pub fn clear(&self) {
        *self.0.borrow_mut() = None;
    }
}
