//! Graphs into files, unchecked.

use std::collections::BTreeMap;
use std::path::Path;

use fluxo_models::Model;

use super::interface::GraphInterface;
use super::manifest;
use super::options::ExportOptions;
use super::plan::ModelPlan;
use crate::error::{Error, io};
use crate::metadata::{DTYPE, OPTIONS, POSITIONS, TARGET, TASK};
use crate::progress::{Step, Told};

/// Writes the graphs of `plan` into the folder `dir`, unchecked, and gives their names, in the order
/// in which they run.
///
/// # Errors
/// When the model has no ONNX form, or a file cannot be written.
pub(crate) fn write(
    plan: &ModelPlan<'_>,
    dir: &Path,
    told: Told<'_>,
) -> Result<Vec<&'static str>, Error> {
    let mut written = Vec::new();
    for interface in &plan.interfaces {
        let file = plan.file(interface);
        recording(file, told);
        write_file(&plan.model, interface, &dir.join(file), &plan.options)?;
        written.push(file);
    }
    Ok(written)
}

/// Says that `file` is recorded and written.
fn recording(file: &str, told: Told<'_>) {
    let what = &format!("recording {file}");
    told(Step {
        what,
        done: 0,
        of: 0,
    });
}

/// What a file says of itself: its model, and what made it.
fn about(model: &Model, options: &ExportOptions) -> BTreeMap<String, String> {
    let counting = model.config().counting();
    let positions = counting.and_then(|counting| serde_json::to_string(&counting).ok());
    let own = [
        ("fluxo.family", model.family().to_string()),
        (TASK, model.task().to_string()),
        ("fluxo.config", model.raw().to_json()),
        (DTYPE, format!("{:?}", model.dtype()).to_lowercase()),
        (TARGET, options.target.to_string()),
        (OPTIONS, manifest::record(options)),
        ("fluxo.version", env!("CARGO_PKG_VERSION").to_string()),
        ("burn.version", fluxo_onnx::BURN.to_string()),
    ];
    let mut about = options.metadata.clone();
    about.extend(own.map(|(key, value)| (key.to_string(), value)));
    about.extend(positions.map(|value| (POSITIONS.to_string(), value)));
    about
}

/// Writes one graph to `path`, unchecked.
fn write_file(
    model: &Model,
    interface: &GraphInterface,
    path: &Path,
    options: &ExportOptions,
) -> Result<(), Error> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(|e| io(parent, e))?;
    }
    let spec = interface.spec(model.family());
    let settings = fluxo_onnx::Options {
        opset: options.opset,
        target: options.target,
        external_over: options.external_over,
        metadata: about(model, options),
        static_sizes: interface.static_sizes(&spec, options),
        ..Default::default()
    };
    let graph = fluxo_onnx::export(&model.network, &spec, &settings, |network, args| {
        interface.forward(network, args)
    })?;
    graph.write(path)?;
    Ok(())
}
