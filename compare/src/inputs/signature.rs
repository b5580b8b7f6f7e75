//! What a transformer's ONNX file takes beside what it declares: how it counts positions, and how
//! many it has.

use std::path::Path;

use fluxo_models::blocks::embedding::Counting;
pub use fluxo_onnx::file;

use super::limits::{self, Positions};
use crate::error::Result;
use crate::metadata::POSITIONS;

/// The declarations of a transformer's ONNX file, and what they leave open.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Signature {
    /// What the file declares.
    pub file: file::Signature,
    /// How its model counts positions: as the file says; of another exporter's, as kept tokens
    /// where it writes text, which is how its users fill them in, and by column elsewhere.
    pub counting: Counting,
    /// How many positions the model has, where it has a table of them.
    pub(crate) positions: Option<Positions>,
}

impl Signature {
    /// Reads the declarations of the ONNX file at `path`.
    ///
    /// # Errors
    /// When the file cannot be read, is not an ONNX model, or declares an input or output that
    /// is no tensor of a number type known here.
    pub fn read(path: &Path) -> Result<Self> {
        let file = file::Signature::read(path)?;
        let writes = file.outputs.iter().any(|port| port.name == "logits");
        let said = file.metadata.get(POSITIONS);
        let said = said.and_then(|said| serde_json::from_str(said).ok());
        Ok(Self {
            counting: said.unwrap_or(if writes {
                Counting::Kept
            } else {
                Counting::Columns
            }),
            positions: limits::positions(path, &file),
            file,
        })
    }

    /// Whether it takes a cache.
    pub fn takes_a_past(&self) -> bool {
        let past = |port: &file::Port| port.name.starts_with("past_key_values.");
        self.file.inputs.iter().any(past)
    }
}
