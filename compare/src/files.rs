//! The ONNX files of a model, and the runtimes that take them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::{DType, TensorData};

use crate::error::Result;
use crate::error::io;
pub use crate::runner::RUNTIMES;
use crate::runner::{Runner, encoder_decoder::Chain, filled::Filled, split::Split};
use fluxo_onnx::file::numbers;

/// Where the graph lies in an exported folder.
pub const GRAPH: &str = "onnx/model.onnx";
/// Where an encoder-decoder's encoder lies.
pub const ENCODER: &str = "onnx/encoder_model.onnx";
/// Where its decoder lies, which serves first tokens and those that follow.
pub const DECODER: &str = "onnx/decoder_model_merged.onnx";
/// Where other exporters put a decoder that reads first tokens alone,
pub const FIRST: &str = "onnx/decoder_model.onnx";
/// and where the one that follows behind a cache.
pub const THEN: &str = "onnx/decoder_with_past_model.onnx";
/// Where the part lies that reads texts, of a model that compares them with images.
pub const TEXT: &str = "onnx/text_model.onnx";
/// Where its part lies that reads images.
pub const VISION: &str = "onnx/vision_model.onnx";
/// Every file that an export may write.
pub(crate) const ALL: [&str; 5] = [GRAPH, ENCODER, DECODER, TEXT, VISION];

/// The ONNX files that make up one model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OnnxModelFiles {
    /// One file.
    Whole(PathBuf),
    /// The files of an encoder and of the decoder that reads what it gives.
    Pair {
        /// The encoder.
        encoder: PathBuf,
        /// The decoder.
        decoder: PathBuf,
    },
    /// A decoder in two files, perhaps behind an encoder in a third.
    Split {
        /// The encoder, where there is one.
        encoder: Option<PathBuf>,
        /// The decoder for the first tokens.
        first: PathBuf,
        /// The decoder for those behind a cache.
        then: PathBuf,
    },
}

impl OnnxModelFiles {
    /// The files in the folder `dir`, under `onnx/` or beside each other.
    pub fn in_folder(dir: &Path) -> Option<Self> {
        let find = |name: &str| {
            let beside = name.strip_prefix("onnx/").unwrap_or(name);
            let mut places = [dir.join(name), dir.join(beside)].into_iter();
            places.find(|path| path.is_file())
        };
        match find(GRAPH) {
            Some(whole) => Some(Self::Whole(whole)),
            None => Self::written(find(ENCODER), find(DECODER), find(FIRST), find(THEN)),
        }
    }

    /// What the ONNX file at `path` is part of: an encoder and the files of a decoder beside it,
    /// where it is named as one of them; else the file alone.
    pub fn around(path: &Path) -> Self {
        let beside = |name: &str| path.with_file_name(name.trim_start_matches("onnx/"));
        let found = |name: &str| Some(beside(name)).filter(|file| file.is_file());
        let named = |name: &str| path == beside(name);
        let only = |name: &str| Some(path.to_path_buf()).filter(|_| named(name));
        let encoder = found(ENCODER);
        let graph = match () {
            () if named(DECODER) => Self::written(encoder, only(DECODER), None, None),
            () if named(FIRST) || named(THEN) => {
                Self::written(encoder, None, found(FIRST), found(THEN))
            }
            () => None,
        };
        graph.unwrap_or_else(|| Self::Whole(path.to_path_buf()))
    }

    /// Of the files of a decoder the one for all tokens, or else those for the first ones and
    /// those that follow; without a cache the first alone. An encoder alone is no model.
    fn written(
        encoder: Option<PathBuf>,
        merged: Option<PathBuf>,
        first: Option<PathBuf>,
        then: Option<PathBuf>,
    ) -> Option<Self> {
        match (
            encoder,
            merged.or_else(|| first.clone().filter(|_| then.is_none())),
            first,
            then,
        ) {
            (Some(encoder), Some(decoder), ..) => Some(Self::Pair { encoder, decoder }),
            (None, Some(decoder), ..) => Some(Self::Whole(decoder)),
            (encoder, None, Some(first), Some(then)) => Some(Self::Split {
                encoder,
                first,
                then,
            }),
            _ => None,
        }
    }

    /// The files that read what has no past.
    #[must_use]
    pub fn without_past(&self) -> Self {
        match self.clone() {
            Self::Split {
                encoder: Some(encoder),
                first: decoder,
                ..
            } => Self::Pair { encoder, decoder },
            Self::Split { first, .. } => Self::Whole(first),
            other => other,
        }
    }

    /// The files, in the order in which they run.
    pub fn files(&self) -> Vec<&Path> {
        match self {
            Self::Whole(file) => vec![file],
            Self::Pair { encoder, decoder } => vec![encoder, decoder],
            Self::Split {
                encoder,
                first,
                then,
            } => {
                let files = encoder.iter().chain([first, then]);
                files.map(PathBuf::as_path).collect()
            }
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
        fluxo_onnx::file::Signature::read(file).ok()?.weights
    }

    /// The files in the runtime `runtime`, one of [`RUNTIMES`]; reports show them as `name`.
    /// Together they take what the checkpoint takes.
    ///
    /// # Errors
    /// When a file cannot be read, or the runtime cannot load it or is not here.
    pub fn load(&self, runtime: &str, name: &str) -> Result<Box<dyn Runner>> {
        self.load_as(runtime, name, |chain| chain)
    }

    /// [`OnnxModelFiles::load`], an encoder run once for inputs that come again one after the other.
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
            Ok(Box::new(Filled::load(runtime, name, file)?))
        };
        match self {
            Self::Whole(file) => load(file),
            Self::Pair { encoder, decoder } => {
                let chain = Chain::new(name, load(encoder)?, load(decoder)?);
                Ok(Box::new(chained(chain)))
            }
            Self::Split {
                encoder,
                first,
                then,
            } => {
                let decoder = Box::new(Split::new(name, load(first)?, load(then)?));
                Ok(match encoder {
                    Some(encoder) => Box::new(Chain::new(name, load(encoder)?, decoder)),
                    None => decoder,
                })
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
        assert_eq!(OnnxModelFiles::in_folder(dir.path()), None);
        touch(ENCODER);
        assert_eq!(OnnxModelFiles::in_folder(dir.path()), None);
        touch("decoder_model_merged.onnx");
        let pair = OnnxModelFiles::in_folder(dir.path()).unwrap();
        let files = [ENCODER, "decoder_model_merged.onnx"].map(|name| dir.path().join(name));
        assert_eq!(pair.files(), files);
        // Those of other exporters.
        std::fs::remove_file(dir.path().join("decoder_model_merged.onnx")).unwrap();
        touch(FIRST);
        let beside = |name: &str| dir.path().join(name);
        let pair = OnnxModelFiles::Pair {
            encoder: beside(ENCODER),
            decoder: beside(FIRST),
        };
        assert_eq!(OnnxModelFiles::in_folder(dir.path()), Some(pair.clone()));
        touch(THEN);
        let split = OnnxModelFiles::in_folder(dir.path()).unwrap();
        assert_eq!(split.files(), [ENCODER, FIRST, THEN].map(beside));
        assert_eq!(split.without_past(), pair);
        // A file stands for those that it belongs to.
        assert_eq!(OnnxModelFiles::around(&beside(THEN)), split);
        std::fs::remove_file(beside(ENCODER)).unwrap();
        let split = OnnxModelFiles::in_folder(dir.path()).unwrap();
        assert_eq!(split.files(), [FIRST, THEN].map(beside));
        assert_eq!(split.without_past(), OnnxModelFiles::Whole(beside(FIRST)));
        let other = beside("onnx/other.onnx");
        assert_eq!(OnnxModelFiles::around(&other), OnnxModelFiles::Whole(other));
        touch(GRAPH);
        let whole = OnnxModelFiles::in_folder(dir.path()).unwrap();
        assert_eq!(whole.files(), [dir.path().join(GRAPH)]);
    }
}
