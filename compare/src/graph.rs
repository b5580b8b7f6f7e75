//! The ONNX files of a model, and the runtimes that take them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::{DType, TensorData};

use crate::error::Result;
use crate::locate::numbers;
use crate::publish::io;
use crate::runner::{Runner, chain::Chain, ort, ort::Ort, rten, rten::Rten, tract, tract::Tract};
use crate::signature::Signature;

/// Where the graph lies in an exported folder.
pub const GRAPH: &str = "onnx/model.onnx";
/// Where an encoder-decoder's encoder lies.
pub const ENCODER: &str = "onnx/encoder_model.onnx";
/// Where its decoder lies, which serves first tokens and those that follow.
pub const DECODER: &str = "onnx/decoder_model_merged.onnx";
/// Where the part lies that reads texts, of a model that compares them with images.
pub const TEXT: &str = "onnx/text_model.onnx";
/// Where its part lies that reads images.
pub const VISION: &str = "onnx/vision_model.onnx";
/// Every file that an export may write.
pub(crate) const ALL: [&str; 5] = [GRAPH, ENCODER, DECODER, TEXT, VISION];

/// The runtimes that take an ONNX file.
pub const RUNTIMES: [&str; 3] = [ort::NAME, tract::NAME, rten::NAME];

/// The ONNX files that make up one model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Graph {
    /// One file.
    Whole(PathBuf),
    /// The files of an encoder and of the decoder that reads what it gives.
    Pair {
        /// The encoder.
        encoder: PathBuf,
        /// The decoder.
        decoder: PathBuf,
    },
}

impl Graph {
    /// The files in the folder `dir`, under `onnx/` or beside each other.
    pub fn in_folder(dir: &Path) -> Option<Self> {
        let find = |name: &str| {
            let beside = name.strip_prefix("onnx/").unwrap_or(name);
            let mut places = [dir.join(name), dir.join(beside)].into_iter();
            places.find(|path| path.is_file())
        };
        match (find(GRAPH), find(ENCODER), find(DECODER)) {
            (Some(whole), ..) => Some(Self::Whole(whole)),
            (None, Some(encoder), Some(decoder)) => Some(Self::Pair { encoder, decoder }),
            _ => None,
        }
    }

    /// The files, in the order in which they run.
    pub fn files(&self) -> Vec<&Path> {
        match self {
            Self::Whole(file) => vec![file],
            Self::Pair { encoder, decoder } => vec![encoder, decoder],
        }
    }

    /// The gains and biases of the norms, by the paths that they have in the network.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn norms(&self) -> Result<BTreeMap<String, TensorData>> {
        let mut found = BTreeMap::new();
        for path in self.files() {
            let of_norm = |name: &str| {
                let module = name.rsplit('.').nth(1);
                module.is_some_and(|module| module.ends_with("norm"))
            };
            found.extend(numbers(path, of_norm).map_err(|e| io(path, e))?);
        }
        Ok(found)
    }

    /// The element type of most of the weights, where that is not float32.
    pub(crate) fn declared(&self) -> Option<DType> {
        let file = *self.files().last()?;
        Signature::read(file).ok()?.weights
    }

    /// The files in the runtime `runtime`, one of [`RUNTIMES`]; reports show them as `name`.
    /// Together they take what the checkpoint takes.
    ///
    /// # Errors
    /// When a file cannot be read, or the runtime cannot load it or is not here.
    pub fn load(&self, runtime: &str, name: &str) -> Result<Box<dyn Runner>> {
        self.load_as(runtime, name, |chain| chain)
    }

    /// [`Graph::load`], an encoder run once for inputs that come again one after the other.
    pub(crate) fn load_keeping(&self, runtime: &str, name: &str) -> Result<Box<dyn Runner>> {
        self.load_as(runtime, name, Chain::keeping)
    }

    fn load_as(
        &self,
        runtime: &str,
        name: &str,
        chained: impl FnOnce(Chain) -> Chain,
    ) -> Result<Box<dyn Runner>> {
        let load = |file: &Path| -> Result<Box<dyn Runner>> {
            Ok(match runtime {
                ort::NAME => Box::new(Ort::load(name, file)?),
                tract::NAME => Box::new(Tract::load(name, file)?),
                _ => Box::new(Rten::load(name, file)?),
            })
        };
        match self {
            Self::Whole(file) => load(file),
            Self::Pair { encoder, decoder } => {
                let chain = Chain::new(name, load(encoder)?, load(decoder)?);
                Ok(Box::new(chained(chain)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_folder_holds_one_file_or_two() {
        let dir = tempfile::tempdir().unwrap();
        let touch = |name: &str| std::fs::write(dir.path().join(name), "").unwrap();
        std::fs::create_dir(dir.path().join("onnx")).unwrap();
        assert_eq!(Graph::in_folder(dir.path()), None);
        touch(ENCODER);
        assert_eq!(Graph::in_folder(dir.path()), None);
        touch("decoder_model_merged.onnx");
        let pair = Graph::in_folder(dir.path()).unwrap();
        let files = [ENCODER, "decoder_model_merged.onnx"].map(|name| dir.path().join(name));
        assert_eq!(pair.files(), files);
        touch(GRAPH);
        let whole = Graph::in_folder(dir.path()).unwrap();
        assert_eq!(whole.files(), [dir.path().join(GRAPH)]);
    }
}
