//! An ONNX file in a runtime, part by part: the values between the parts become outputs of a
//! temporary file, and inputs where parts are fed.

use std::path::Path;

use burn::tensor::{DType, TensorData};
use fluxo_models::{Part, Tensors};

use super::names::Ends;
use super::proto::{File, Port, given};
use super::{Asked, Suspect};
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::inputs::complete;
use crate::publish::io;
use crate::referee::unit;
use crate::runner::{Kind, Runner};
use crate::signature::Signature;

/// What the temporary file is called.
const PART: &str = "part.onnx";

/// The ONNX files of a model in a runtime.
pub struct Cut {
    name: String,
    runtime: String,
    graph: Graph,
    dtype: DType,
    nodes: Vec<(String, String)>,
}

/// One part that the file shows.
struct Shown<'a> {
    exact: &'a Part,
    ends: Ends,
}

impl Cut {
    /// `graph` in the runtime `runtime`, shown as `name`.
    ///
    /// # Errors
    /// When a file cannot be read or is no ONNX file.
    pub fn new(runtime: &str, name: &str, graph: Graph) -> Result<Self> {
        let mut cut = Self {
            name: name.to_string(),
            runtime: runtime.to_string(),
            graph,
            dtype: DType::F32,
            nodes: Vec::new(),
        };
        let ports = Signature::read(cut.file("decoder"))?.outputs;
        let mut types = ports.iter().map(|port| port.dtype);
        cut.dtype = types.find(DType::is_float).unwrap_or(DType::F32);
        Ok(cut)
    }

    /// The file in which the part `path` stands.
    fn file(&self, path: &str) -> &Path {
        match &self.graph {
            Graph::Whole(file) => file,
            Graph::Pair { encoder, .. } if path.starts_with("encoder") => encoder,
            Graph::Pair { decoder, .. } => decoder,
        }
    }

    fn parsed(&self, path: &Path) -> Result<File> {
        let bytes = std::fs::read(path).map_err(|e| io(path, e))?;
        File::parse(bytes).map_err(|reason| Error::Model {
            path: path.to_path_buf(),
            reason,
        })
    }

    /// What the decoder's file takes, or the only one: `inputs`, and what the encoder gives.
    fn inputs_of(
        &self,
        file: &Path,
        inputs: &Tensors,
        asked: &Asked<'_>,
        forced: bool,
    ) -> Result<Tensors> {
        let Graph::Pair { encoder, decoder } = &self.graph else {
            return complete(&Signature::read(file)?, inputs);
        };
        let (mut read, mut written) = (Tensors::new(), Tensors::new());
        for (name, data) in inputs {
            match name.as_str() {
                "decoder_input_ids" => written.insert("input_ids".into(), data.clone()),
                "attention_mask" => {
                    written.insert("encoder_attention_mask".into(), data.clone());
                    read.insert(name.clone(), data.clone())
                }
                _ if name.starts_with("decoder_") || name.starts_with("past_key_values.") => {
                    written.insert(name.clone(), data.clone())
                }
                _ => read.insert(name.clone(), data.clone()),
            };
        }
        if file == encoder {
            return complete(&Signature::read(file)?, &read);
        }
        let state = match asked.given.get("decoder.encoded").filter(|_| forced) {
            Some(state) => self.rounded(state)?,
            None => {
                let whole = Graph::Whole(encoder.clone());
                let outputs = whole.load(&self.runtime, &self.name)?.run(&read)?;
                let state = outputs.get("last_hidden_state").cloned();
                state.ok_or_else(|| Error::runner(&self.name, "the encoder gives no state"))?
            }
        };
        written.insert("encoder_hidden_states".into(), state);
        complete(&Signature::read(decoder)?, &written)
    }

    fn rounded(&self, data: &TensorData) -> Result<TensorData> {
        let cast = data.clone().try_cast(self.dtype);
        cast.map_err(|e| Error::runner(&self.name, e))
    }

    /// Runs the parts of `asked` in `file`, fed or as they are.
    fn run_file(
        &mut self,
        path: &Path,
        inputs: &Tensors,
        asked: &Asked<'_>,
        forced: bool,
    ) -> Result<Vec<Part>> {
        let file = self.parsed(path)?;
        let shown =
            |exact: &'_ Part| (self.file(&exact.path) == path).then(|| file.ends(&exact.path))?;
        let shown: Vec<Shown<'_>> = asked
            .exact
            .iter()
            .filter_map(|exact| {
                Some(Shown {
                    exact,
                    ends: shown(exact)?,
                })
            })
            .collect();
        if shown.is_empty() {
            return Ok(Vec::new());
        }
        let mut values = self.inputs_of(path, inputs, asked, forced)?;
        let port = |name: &str, dtype: DType, dims: Option<&TensorData>| Port {
            name: name.to_string(),
            dtype,
            dims: dims.map(|data| data.shape().as_slice().to_vec()),
        };
        let own: Vec<Port> = file
            .inputs
            .iter()
            .filter_map(|name| {
                let data = values.get(name)?;
                Some(port(name, data.dtype(), Some(data)))
            })
            .collect();
        let (mut cuts, mut outputs) = (Vec::<Port>::new(), Vec::<Port>::new());
        for Shown { exact, ends } in &shown {
            if let (Some(input), Some(data)) =
                (&ends.input, exact.input.as_ref().filter(|_| forced))
                && !cuts.iter().any(|cut| cut.name == *input)
            {
                let data = self.rounded(data)?;
                cuts.push(port(input, self.dtype, Some(&data)));
                values.insert(given(input), data);
            }
            if !outputs.iter().any(|output| output.name == ends.output) {
                outputs.push(port(&ends.output, self.dtype, None));
            }
        }
        let folder = self.folder(path)?;
        let part = file.cut(&cuts, &outputs, &own);
        part.write(&folder.path().join(PART))
            .map_err(|e| io(path, e))?;
        drop(part);
        for Shown { exact, .. } in &shown {
            if let Some(node) = file.node_of(&exact.path) {
                self.nodes.push((exact.path.clone(), node));
            }
        }
        let shown: Vec<(&Part, String)> = shown
            .iter()
            .map(|s| (s.exact, s.ends.output.clone()))
            .collect();
        drop(file);
        let mut written = self.run_in(&folder, &values)?;
        let mut parts = Vec::new();
        for (exact, output) in shown {
            if let Some(data) = written.get_mut(&output) {
                // Rows and columns may be counted otherwise.
                let shape = exact.output.shape().clone();
                let output = match data.num_elements() == exact.output.num_elements() {
                    true => TensorData::new(data.iter::<f32>().collect::<Vec<_>>(), shape),
                    false => data.clone(),
                };
                parts.push(Part {
                    path: exact.path.clone(),
                    input: None,
                    output,
                    divides: exact.divides,
                });
            }
        }
        Ok(parts)
    }

    /// A folder for a part of the file `path`, with the weights beside that.
    fn folder(&self, path: &Path) -> Result<tempfile::TempDir> {
        let folder = tempfile::tempdir().map_err(|e| Error::runner(&self.name, e))?;
        link_data(path, folder.path())?;
        Ok(folder)
    }

    /// Runs the part that was written into `folder` on those of `values` that it takes.
    fn run_in(&self, folder: &tempfile::TempDir, values: &Tensors) -> Result<Tensors> {
        let file = folder.path().join(PART);
        let takes = Signature::read(&file)?;
        let taken = |name: &&String| takes.input(name).is_some();
        let values = values.iter().filter(|(name, _)| taken(name));
        let values: Tensors = values.map(|(k, v)| (k.clone(), v.clone())).collect();
        let mut runner: Box<dyn Runner> = Graph::Whole(file).load(&self.runtime, &self.name)?;
        runner.run(&values)
    }

    fn run_parts(
        &mut self,
        inputs: &Tensors,
        asked: &Asked<'_>,
        forced: bool,
    ) -> Result<Vec<Part>> {
        let files: Vec<_> = self
            .graph
            .files()
            .into_iter()
            .map(Path::to_path_buf)
            .collect();
        let mut parts = Vec::new();
        for file in files {
            parts.extend(self.run_file(&file, inputs, asked, forced)?);
        }
        Ok(parts)
    }
}

/// Operators that write numbers with a fraction, whatever they read.
const FLOATING: [&str; 20] = [
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

impl Cut {
    /// The nodes of the file that surely write such numbers, by name, and what they write, in the
    /// order of the computation.
    pub(super) fn values(&self) -> Result<Vec<(String, String)>> {
        let Graph::Whole(path) = &self.graph else {
            return Err(Error::runner(
                &self.name,
                "a pair of files has no values in one order",
            ));
        };
        let file = self.parsed(path)?;
        let floating = file
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

    /// The values `names` of a plain run.
    pub(super) fn values_of(&self, names: &[&str], inputs: &Tensors) -> Result<Tensors> {
        let path = self.file("");
        let file = self.parsed(path)?;
        let values = complete(&Signature::read(path)?, inputs)?;
        let own = |(name, data): (&String, &TensorData)| Port {
            name: name.clone(),
            dtype: data.dtype(),
            dims: Some(data.shape().as_slice().to_vec()),
        };
        let own: Vec<Port> = values.iter().map(own).collect();
        let output = |name: &&str| Port {
            name: name.to_string(),
            dtype: self.dtype,
            dims: None,
        };
        let outputs: Vec<Port> = names.iter().map(output).collect();
        let folder = self.folder(path)?;
        let part = file.cut(&[], &outputs, &own);
        part.write(&folder.path().join(PART))
            .map_err(|e| io(path, e))?;
        drop(part);
        drop(file);
        self.run_in(&folder, &values)
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

impl Suspect for Cut {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> Kind {
        Kind::Graph
    }

    fn unit(&self) -> Option<f64> {
        Some(unit(self.dtype))
    }

    fn node(&self, path: &str) -> Option<String> {
        let found = self.nodes.iter().find(|(known, _)| known == path);
        found.map(|(_, node)| node.clone())
    }

    fn plain(&mut self, inputs: &Tensors, scope: &Asked<'_>) -> Result<Vec<Part>> {
        self.run_parts(inputs, scope, false)
    }

    fn forced(&mut self, inputs: &Tensors, scope: &Asked<'_>) -> Result<Vec<Part>> {
        self.run_parts(inputs, scope, true)
    }
}
