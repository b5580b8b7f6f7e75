//! Inputs that nobody gave.

use std::path::{Path, PathBuf};

use fluxo_models::catalog::Description;
use fluxo_models::model::CONFIG;
use fluxo_models::{Model, NetworkConfig, Tensors};

use crate::error::{Error, Result, zoo};
use crate::files::OnnxModelFiles;
use crate::inputs::samples;
use crate::open::Given;

/// The first model that says what it is.
///
/// # Errors
/// When its configuration cannot be read.
pub(super) fn described(models: &[Given]) -> Result<Option<Description>> {
    let mut all = models.iter();
    let Some(model) = all.find(|model| model.path.join(CONFIG).is_file()) else {
        return Ok(None);
    };
    let device = fluxo_backends::device(fluxo_backends::default_name().unwrap_or("flex"))?;
    let described = Model::description(&model.path, model.task, &device);
    described.map(Some).map_err(zoo)
}

/// The configuration to make up inputs from.
///
/// # Errors
/// When none of the models has one.
fn config(models: &[Given]) -> Result<NetworkConfig> {
    let none = || {
        let reason = "there is no config.json to make up inputs from; give --inputs FILE";
        Error::Other(reason.into())
    };
    Ok(described(models)?.ok_or_else(none)?.config)
}

/// What the files of `files` are, those without a past: made-up inputs have none.
fn paths(files: &[OnnxModelFiles]) -> Vec<PathBuf> {
    let first = files.iter().map(OnnxModelFiles::without_past);
    let paths = first.flat_map(|files| {
        let files = files.files().into_iter().map(Path::to_path_buf);
        files.collect::<Vec<_>>()
    });
    paths.collect()
}

/// [`config`], its images of the size that `files` have fixed.
///
/// # Errors
/// As [`config`], and when a file cannot be read.
pub(super) fn imaged(models: &[Given], files: &[OnnxModelFiles]) -> Result<NetworkConfig> {
    samples::imaged(&config(models)?, &paths(files))
}

/// Inputs of the first model that says what it reads, as `files` take them.
///
/// # Errors
/// As [`config`], and when a file cannot be read.
pub(super) fn inputs(models: &[Given], files: &[OnnxModelFiles]) -> Result<Tensors> {
    let mut inputs = samples::fitting(&config(models)?, &paths(files))?;
    for files in files {
        samples::drop_foreign(&mut inputs, files)?;
    }
    Ok(inputs)
}
