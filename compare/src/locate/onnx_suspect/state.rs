//! What is known of the files of a suspect in a runtime.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use burn::tensor::{DType, Shape, TensorData};
use fluxo_models::Tensors;
use fluxo_onnx::file::GraphFile;

use super::match_names::Endpoints;
use crate::checkpoint_cache::CheckpointCache;
use crate::error::{Error, Result};
use crate::files::OnnxModelFiles;
use crate::inputs::signature::Signature;
use crate::runner::{Kind, Label};
use fluxo_backends::kernels::unit;

/// The ONNX files of a model in a runtime.
pub struct OnnxSuspect {
    pub(super) label: Label,
    pub(super) runtime: String,
    pub(super) graph: OnnxModelFiles,
    pub(super) dtype: DType,
    pub(super) nodes: Vec<(String, String)>,
    pub(super) checkpoints: CheckpointCache,
    /// The files that were read.
    pub(super) read: BTreeMap<PathBuf, Rc<Read>>,
    /// Of each file what a plain run gives between the outermost parts.
    pub(super) stream: BTreeMap<PathBuf, Tensors>,
    /// Where parts are that the files do not name as we do.
    pub(super) matched: BTreeMap<String, Endpoints>,
    /// The shapes of values that were looked at for that.
    pub(super) shapes: BTreeMap<String, Shape>,
}

/// What a file says.
pub(super) struct Read {
    pub(super) file: GraphFile,
    pub(super) signature: Signature,
}

impl OnnxSuspect {
    /// `graph` in the runtime `runtime`, shown as `name`.
    ///
    /// # Errors
    /// When a file cannot be read or is no ONNX file.
    pub fn new(runtime: &str, name: &str, graph: OnnxModelFiles) -> Result<Self> {
        let mut cut = Self {
            label: Label::new(name, Kind::Graph),
            runtime: runtime.to_string(),
            // Parts are looked for in a text as a whole.
            graph: graph.without_past(),
            dtype: DType::F32,
            nodes: Vec::new(),
            checkpoints: CheckpointCache::default(),
            read: BTreeMap::new(),
            stream: BTreeMap::new(),
            matched: BTreeMap::new(),
            shapes: BTreeMap::new(),
        };
        let decoder = cut.file("decoder").to_path_buf();
        let read = cut.parsed(&decoder)?;
        let mut types = read.signature.file.outputs.iter().map(|port| port.dtype);
        cut.dtype = types.find(DType::is_float).unwrap_or(DType::F32);
        cut.label.unit = Some(unit(cut.dtype));
        cut.label.declared = read.signature.file.weights;
        Ok(cut)
    }

    /// The same, which takes the place of what `checkpoints` holds when it runs.
    #[must_use]
    pub(crate) fn beside(mut self, checkpoints: &CheckpointCache) -> Self {
        self.checkpoints = checkpoints.clone();
        self
    }

    /// The file in which the part `path` stands.
    pub(super) fn file(&self, path: &str) -> &Path {
        match &self.graph {
            OnnxModelFiles::Whole(file) => file,
            OnnxModelFiles::Pair { encoder, .. } if path.starts_with("encoder") => encoder,
            OnnxModelFiles::Pair { decoder, .. } => decoder,
            OnnxModelFiles::Split { first, .. } => first,
        }
    }

    pub(super) fn parsed(&mut self, path: &Path) -> Result<Rc<Read>> {
        if let Some(read) = self.read.get(path) {
            return Ok(read.clone());
        }
        let signature = Signature::read(path)?;
        let file = GraphFile::read(path).map_err(|reason| Error::Model {
            path: path.to_path_buf(),
            reason,
        })?;
        let read = Rc::new(Read { file, signature });
        self.read.insert(path.to_path_buf(), read.clone());
        Ok(read)
    }

    pub(super) fn rounded(&self, data: &TensorData) -> Result<TensorData> {
        let cast = data.clone().try_cast(self.dtype);
        cast.map_err(|e| Error::runner(&self.label.name, e))
    }

    pub(super) fn all_rounded(&self, values: &Tensors) -> Result<Tensors> {
        let round = |(name, data): (&String, &TensorData)| Ok((name.clone(), self.rounded(data)?));
        values.iter().map(round).collect()
    }
}
