//! A checkpoint into a model, whole or one part of it.

use std::path::Path;

use burn::tensor::{DType, Device};

use super::{CARRIED, CONFIG, Model, text};
use crate::catalog::Description;
use crate::checkpoint::{self, report::LoadReport, store::Store};
use crate::config::Raw;
use crate::error::{Error, Result};
use crate::task::Task;

impl Model {
    /// Loads the checkpoint in `dir`: `config.json`, weights and, where it is there, the
    /// tokenizer. `task` chooses a head other than the checkpoint's own.
    ///
    /// # Errors
    /// When a file is missing or broken, the family is unknown, or the weights do not fit the
    /// configuration.
    pub fn load(dir: &Path, task: Option<Task>, device: &Device) -> Result<(Self, LoadReport)> {
        Self::load_as(dir, task, device, DType::F32)
    }

    /// [`Model::load`] with weights and arithmetic in the element type `dtype`.
    ///
    /// # Errors
    /// Also when the device does not compute in it.
    pub fn load_as(
        dir: &Path,
        task: Option<Task>,
        device: &Device,
        dtype: DType,
    ) -> Result<(Self, LoadReport)> {
        let (mut model, report) = Self::load_some(dir, task, device, dtype, None)?;
        model.text = text(dir, &model.raw)?;
        Ok((model, report))
    }

    /// [`Model::load_as`], of the weights only what a [`Probe`](crate::Probe) reads that runs nothing but the
    /// part `part`: one block (`decoder.layers.3`, counted in the order of the computation), or
    /// what stands around the blocks (`head`). Its other weights, and how it reads text, are not
    /// the checkpoint's.
    ///
    /// # Errors
    /// As [`Model::load_as`].
    pub fn load_part(
        dir: &Path,
        task: Option<Task>,
        device: &Device,
        dtype: DType,
        part: &str,
    ) -> Result<Self> {
        Ok(Self::load_some(dir, task, device, dtype, Some(part))?.0)
    }

    fn load_some(
        dir: &Path,
        task: Option<Task>,
        device: &Device,
        dtype: DType,
        part: Option<&str>,
    ) -> Result<(Self, LoadReport)> {
        if !device.supports_dtype(dtype) {
            return Err(Error::Dtype { dtype });
        }
        let config = dir.join(CONFIG);
        if !config.is_file() {
            checkpoint::unread::refuse(dir, None)?;
        }
        let mut raw = Raw::read(&config)?;
        checkpoint::unread::refuse(dir, Some(&raw))?;
        let mut guessed = Vec::new();
        if !raw.names_a_model() {
            let store = Store::open(dir)?;
            guessed = checkpoint::guess::complete(&mut raw, &store, device)?;
        }
        let mut description = Description::of(raw, task)?;
        let wanted = checkpoint::Wanted {
            family: description.family,
            class: description.class,
            dtype,
            device,
            part,
        };
        let tied = description.config.is_tied();
        let (network, mut report) = checkpoint::load(dir, wanted, &mut description.config)?;
        if tied && !description.config.is_tied() {
            description.say_untied();
        }
        report.guessed = guessed;
        report.left_out.extend(description.stands_for);
        let Description {
            raw,
            family,
            class,
            config,
            ..
        } = description;
        let model = Self {
            network,
            family,
            class,
            config,
            raw,
            text: None,
            dtype,
            carried: CARRIED
                .map(|name| dir.join(name))
                .into_iter()
                .filter(|path| path.is_file())
                .collect(),
        };
        Ok((model, report))
    }
}
