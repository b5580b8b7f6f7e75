//! Checkpoints on disk, of which at most one is in memory.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use burn::tensor::{DType, Device};
use fluxo_models::{Model, Task};

use crate::error::Result;
use crate::precision;

/// A checkpoint, and where and in which precision it is wanted.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Wanted {
    path: PathBuf,
    task: Option<Task>,
    backend: String,
    dtype: DType,
}

impl Wanted {
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
        })
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
        Ok(Model::load_part(
            &self.path, self.task, &device, self.dtype, part,
        )?)
    }
}

/// Holds the model that was asked for last, for all who share it.
#[derive(Clone, Default)]
pub(crate) struct Shelf(Rc<RefCell<Option<(Wanted, Model)>>>);

impl Shelf {
    /// Whether `wanted` is there.
    pub fn holds(&self, wanted: &Wanted) -> bool {
        let held = self.0.borrow();
        held.as_ref().is_some_and(|(known, _)| known == wanted)
    }

    /// The model `wanted`, which takes the place of another one. It shares its weights with the
    /// shelf's, and holds them as long as it lives.
    ///
    /// # Errors
    /// When the checkpoint cannot be loaded.
    pub fn model(&self, wanted: &Wanted) -> Result<Model> {
        if let Some((known, model)) = self.0.borrow().as_ref()
            && known == wanted
        {
            return Ok(model.clone());
        }
        self.clear();
        let device = wanted.device()?;
        let (model, _) = Model::load_as(&wanted.path, wanted.task, &device, wanted.dtype)?;
        *self.0.borrow_mut() = Some((wanted.clone(), model.clone()));
        Ok(model)
    }

    /// Forgets what is there.
    pub fn clear(&self) {
        *self.0.borrow_mut() = None;
    }
}
