//! A checkpoint into a model, whole or one part of it.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::{DType, Device, TensorData};

use super::{CONFIG, Model, carried, text};
use crate::catalog::Description;
use crate::checkpoint::{self, report::LoadReport, store::Store};
use crate::config::RawConfig;
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

    /// The model that the folder `dir` describes, without its weights: what it reads and writes,
    /// and how it reads text. For an exported folder, whose weights are in its ONNX files.
    ///
    /// # Errors
    /// When a file is missing or broken, or the family is unknown.
    pub fn described(dir: &Path, task: Option<Task>, device: &Device) -> Result<Self> {
        let described = Description::of(RawConfig::read(&dir.join(CONFIG))?, task)?;
        let text = text(dir, &described.raw)?;
        Ok(Self {
            // Its weights are made when they are first read.
            network: described.config.init(device),
            family: described.family,
            class: described.class,
            config: described.config,
            raw: described.raw,
            text,
            dtype: DType::F32,
            carried: carried::of(dir).0,
        })
    }

    /// What a [`load`](Model::load) of the checkpoint in `dir` would make of its configuration, the
    /// weights' names asked where that names no model.
    ///
    /// # Errors
    /// When there is no `config.json`, or the family is unknown.
    pub fn description(dir: &Path, task: Option<Task>, device: &Device) -> Result<Description> {
        let (raw, _) = named(RawConfig::read(&dir.join(CONFIG))?, dir, device)?;
        Description::of(raw, task)
    }

    /// The model with `values` for the parameters at their paths in the network, and the others as
    /// they are.
    #[must_use]
    pub fn with_parameters(mut self, values: BTreeMap<String, TensorData>) -> Self {
        let device = self.device();
        self.network = checkpoint::assigned(self.network, values, &device, self.dtype);
        self
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
        let raw = RawConfig::read(&config)?;
        checkpoint::unread::refuse(dir, Some(&raw))?;
        let (raw, guessed) = named(raw, dir, device)?;
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
        let (carried, refused) = carried::of(dir);
        report.not_carried = refused;
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
            carried,
        };
        Ok((model, report))
    }
}

/// `raw`, the configuration of the checkpoint in `dir`, with what its weights' names tell of a model
/// that it does not name; and what that was.
fn named(mut raw: RawConfig, dir: &Path, device: &Device) -> Result<(RawConfig, Vec<String>)> {
    let guessed = if raw.names_a_model() {
        Vec::new()
    } else {
        checkpoint::guess::complete(&mut raw, &Store::open(dir)?, device)?
    };
    Ok((raw, guessed))
}
