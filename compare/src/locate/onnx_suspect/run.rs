//! Runs of a file, or of what is cut out of it.

use std::collections::BTreeSet;
use std::path::Path;

use burn::tensor::TensorData;
use fluxo_models::Tensors;
use fluxo_support::temporary::Folder;

use super::state::OnnxSuspect;
use crate::error::io;
use crate::error::{Error, Result};
use crate::files::OnnxModelFiles;
use crate::inputs::complete;
use crate::inputs::signature::Signature;
use crate::runner::Runner;
use fluxo_onnx::file::{CutPort, GraphFile, given};

/// What the temporary file is called.
const PART: &str = "part.onnx";

impl OnnxSuspect {
    /// The values `outputs` of `file`, where it is given the values `known` in place of its own,
    /// and its inputs `own`.
    pub(super) fn run_some(
        &self,
        path: &Path,
        file: &GraphFile,
        outputs: &[&str],
        known: &Tensors,
        own: &Tensors,
    ) -> Result<Tensors> {
        let port = |(name, data): (&String, &TensorData)| CutPort {
            name: name.clone(),
            dtype: data.dtype(),
            dims: Some(data.shape().as_slice().to_vec()),
        };
        let cuts: Vec<CutPort> = known.iter().map(port).collect();
        let own_ports: Vec<CutPort> = own.iter().map(port).collect();
        let names: BTreeSet<&str> = outputs.iter().copied().collect();
        let output = |name: &str| CutPort {
            name: name.to_string(),
            dtype: self.dtype,
            dims: None,
        };
        let outputs: Vec<CutPort> = names.into_iter().map(output).collect();
        let folder = self.folder(path)?;
        file.cut(&cuts, &outputs, &own_ports)
            .write(file, &folder.path().join(PART))
            .map_err(|e| io(path, e))?;
        let mut values = own.clone();
        let cut = |(name, data): (&String, &TensorData)| (given(name), data.clone());
        values.extend(known.iter().map(cut));
        self.run_in(&folder, &values)
    }

    /// A folder for a part of the file `path`, with the weights beside that.
    fn folder(&self, path: &Path) -> Result<Folder> {
        let folder = Folder::new().map_err(|e| Error::runner(&self.label.name, e))?;
        link_data(path, folder.path())?;
        Ok(folder)
    }

    /// Runs the part that was written into `folder` on those of `values` that it takes.
    fn run_in(&self, folder: &Folder, values: &Tensors) -> Result<Tensors> {
        let file = folder.path().join(PART);
        let takes = Signature::read(&file)?;
        let taken = |name: &&String| takes.file.input(name).is_some();
        let values = values.iter().filter(|(name, _)| taken(name));
        let values: Tensors = values.map(|(k, v)| (k.clone(), v.clone())).collect();
        let mut runner: Box<dyn Runner> =
            OnnxModelFiles::Whole(file).load(&self.runtime, &self.label.name)?;
        runner.run(&values)
    }
}

/// Operators that write numbers with a fraction, whatever they read.
pub(super) const FLOATING: [&str; 20] = [
    "MatMul",
    "Gemm",
    "Conv",
    "LayerNormalization",
    "RMSNormalization",
    "BatchNormalization",
    "InstanceNormalization",
    "Softmax",
    "LogSoftmax",
    "Erf",
    "Tanh",
    "Sigmoid",
    "Gelu",
    "Sqrt",
    "Exp",
    "Log",
    "Reciprocal",
    "Attention",
    "Cos",
    "Sin",
];

impl OnnxSuspect {
    /// The nodes of the file that surely write such numbers, by name, and what they write, in the
    /// order of the computation.
    pub(in crate::locate) fn values(&mut self) -> Result<Vec<(String, String)>> {
        let OnnxModelFiles::Whole(path) = self.graph.clone() else {
            return Err(Error::runner(
                &self.label.name,
                "a pair of files has no values in one order",
            ));
        };
        let read = self.parsed(&path)?;
        let floating = read
            .file
            .nodes
            .iter()
            .filter(|node| FLOATING.contains(&node.op.as_str()));
        Ok(floating
            .filter_map(|node| {
                let value = node.outputs.first()?.clone();
                let name = if node.name.is_empty() {
                    &value
                } else {
                    &node.name
                };
                Some((name.clone(), value))
            })
            .collect())
    }

    /// The values `names`, of a run in which those of `known` are given in place of its own.
    pub(in crate::locate) fn values_of(
        &mut self,
        names: &[&str],
        known: &Tensors,
        inputs: &Tensors,
    ) -> Result<Tensors> {
        let path = self.file("").to_path_buf();
        let read = self.parsed(&path)?;
        let own = complete(&read.signature, inputs)?;
        let known = self.all_rounded(known)?;
        self.run_some(&path, &read.file, names, &known, &own)
    }
}

/// The files of weights beside `path` become files in `folder` too, without a copy where the
/// system can.
fn link_data(path: &Path, folder: &Path) -> Result<()> {
    let beside = path.parent().unwrap_or(Path::new("."));
    for entry in std::fs::read_dir(beside).map_err(|e| io(beside, e))? {
        let entry = entry.map_err(|e| io(beside, e))?;
        let (from, to) = (entry.path(), folder.join(entry.file_name()));
        let graph = from
            .extension()
            .is_some_and(|extension| extension == "onnx");
        if graph || !from.is_file() {
            continue;
        }
        if std::fs::hard_link(&from, &to).is_err() {
            std::fs::copy(&from, &to).map_err(|e| io(&to, e))?;
        }
    }
    Ok(())
}
