//! How many positions the model of an ONNX file has. A runtime that is asked for more panics, reads
//! what is not its own, or says that an index of some node is out of bounds.

use std::collections::BTreeSet;
use std::path::Path;

use fluxo_models::catalog::Description;
use fluxo_models::config::RawConfig;
use fluxo_models::model::CONFIG;
use fluxo_models::stack::StackConfig;
use fluxo_models::{NetworkConfig, Task, Tensors};
use fluxo_onnx::file::Signature;

use super::past::past;
use crate::error::{Error, Result};
use crate::metadata::TASK;
use fluxo_verify::inputs::integers;

/// The key of the configuration in a file's metadata.
const METADATA: &str = "fluxo.config";

/// The positions that a model has.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Positions {
    count: usize,
    /// Whether those that the mask hides are not counted.
    kept_only: bool,
}

/// By the configuration that the file at `path` carries, which declares `file`, or which lies beside
/// it or in the folder above.
pub(crate) fn positions(path: &Path, file: &Signature) -> Option<Positions> {
    let about = &file.metadata;
    let carried = about
        .get(METADATA)
        .and_then(|text| serde_json::from_str(text).ok());
    let raw = carried.map(RawConfig).or_else(|| {
        let folders = path.ancestors().skip(1).take(2);
        let mut files = folders.map(|folder| folder.join(CONFIG));
        RawConfig::read(&files.find(|file| file.is_file())?).ok()
    })?;
    let task = about.get(TASK).and_then(|task| task.parse::<Task>().ok());
    let config = Description::of(raw, task).ok()?.config;
    let names = file.inputs.iter().map(|port| port.name.as_str());
    read_by(&config, &names.collect())
}

impl Positions {
    /// Refuses a sequence of more positions than there are, in the name of `runner`.
    ///
    /// # Errors
    /// [`Error::OutOfRange`], which says how many there would be.
    pub fn check(&self, runner: &str, inputs: &Tensors) -> Result<()> {
        match longest(inputs, self.kept_only)? {
            Some(asked) if asked > self.count => Err(Error::OutOfRange {
                runner: runner.to_string(),
                reason: format!(
                    "the sequence has {asked} positions, and the model has {}; shorten it",
                    self.count
                ),
            }),
            _ => Ok(()),
        }
    }
}

/// The positions of the stack that reads the `input_ids` among `inputs`.
fn read_by(config: &NetworkConfig, inputs: &BTreeSet<&str>) -> Option<Positions> {
    let writes = !config.encodes_and_decodes() || inputs.contains("encoder_hidden_states");
    let decoder = config.decoder.as_ref().filter(|_| writes);
    let stack: &StackConfig = decoder.or(config.encoder.as_ref())?;
    let table = stack.tokens()?.position?;
    Some(Positions {
        count: table.positions(),
        kept_only: decoder.is_some(),
    })
}

/// Positions of the longest row; those that are hidden left out where `kept_only`.
fn longest(inputs: &Tensors, kept_only: bool) -> Result<Option<usize>> {
    let Some(&[_, seq]) = inputs.get("input_ids").map(|ids| ids.shape().as_slice()) else {
        return Ok(None);
    };
    let all = past(inputs) + seq;
    let name = "attention_mask";
    match inputs.get(name).filter(|_| kept_only) {
        Some(mask) if all > 0 => {
            let kept = integers(name, mask)?;
            let rows = kept
                .chunks(all)
                .map(|row| row.iter().filter(|&&k| k != 0).count());
            Ok(rows.max())
        }
        _ => Ok(Some(all)),
    }
}
