//! The finished model: its summary, and its bytes.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use fluxo_support::temporary::NewFile;
use prost::Message;

use crate::error::{Error, Result};
use crate::file::encode::{entry, node, outside, tensor, value_info};
use crate::file::proto::{GraphProto, ModelProto, OperatorSetIdProto};
use crate::file::stream::Stream;
use crate::graph::build::{Attr, Data, DataType, Graph, ValueId};

/// Files may not pass this size: protobuf's own limit of 2 GiB, less a MiB.
pub(crate) const LIMIT: usize = (1 << 31) - (1 << 20);
/// Initializers of at least this many bytes move out of a file that would be too large.
const LARGE: usize = 1 << 10;
/// External data starts at multiples of this, so that it can be mapped.
const PAGE: usize = 1 << 12;

/// A graph ready to be written.
#[derive(Clone, Debug)]
pub struct OnnxModel {
    pub(crate) graph: Graph,
    pub(crate) opset: i64,
    pub(crate) external_over: usize,
    pub(crate) producer: (String, String),
    pub(crate) metadata: BTreeMap<String, String>,
}

/// An input, output or weight, for summaries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueSummary {
    /// Its name.
    pub name: String,
    /// Its element type.
    pub dtype: DataType,
    /// Its dimensions: numbers, and expressions of named sizes.
    pub dims: Vec<String>,
}

impl OnnxModel {
    /// Runtimes that are known not to read this file, with the reason and the mend.
    pub fn unread_by(&self) -> Vec<(&'static str, String)> {
        let has = |op: &str| self.graph.all_nodes().any(|node| node.op == op);
        let behind = ("linear_before_reset", Attr::Int(1));
        let mut nodes = self.graph.all_nodes();
        let early = nodes.any(|node| node.op == "GRU" && !node.attrs.contains(&behind));
        let absent = [
            (has("Scan"), "`Scan`"),
            (has("RNN"), "`RNN`"),
            (early, "`GRU` that resets the state before the product"),
        ];
        let absent = absent.into_iter().filter(|(absent, _)| *absent);
        let reason = |what: &str| format!("it has no {what}: export with `Target::Rten` for it");
        absent.map(|(_, what)| ("rten", reason(what))).collect()
    }

    /// The inputs, in order.
    pub fn inputs(&self) -> Vec<ValueSummary> {
        self.graph
            .inputs
            .iter()
            .map(|id| self.summary(*id))
            .collect()
    }

    /// The outputs, in order.
    pub fn outputs(&self) -> Vec<ValueSummary> {
        self.graph
            .outputs
            .iter()
            .map(|id| self.summary(*id))
            .collect()
    }

    /// The stored tensors.
    pub fn initializers(&self) -> Vec<ValueSummary> {
        self.graph
            .initializers
            .keys()
            .map(|id| self.summary(*id))
            .collect()
    }

    /// How many bytes the stored tensors take.
    pub fn weight_bytes(&self) -> usize {
        self.graph.initializers.values().map(Data::len).sum()
    }

    /// How many nodes there are.
    pub fn node_count(&self) -> usize {
        self.graph.all_nodes().count()
    }

    /// How often each operator occurs.
    pub fn operators(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for node in self.graph.all_nodes() {
            *counts.entry(node.op).or_default() += 1;
        }
        counts
    }

    /// The name and operator of every node, in order.
    pub fn nodes(&self) -> impl Iterator<Item = (&str, &'static str)> {
        let nodes = self.graph.all_nodes();
        nodes.map(|node| (node.name.as_str(), node.op))
    }

    /// The named sizes that are open.
    pub fn sizes(&self) -> &[String] {
        &self.graph.sizes
    }

    fn summary(&self, id: ValueId) -> ValueSummary {
        let value = &self.graph.values[id];
        ValueSummary {
            name: value.name.clone(),
            dtype: value.dtype,
            dims: value.shape.iter().map(|dim| self.graph.show(dim)).collect(),
        }
    }

    /// The version of ONNX's operators.
    pub fn opset(&self) -> i64 {
        self.opset
    }

    /// Stores one more pair in the file.
    pub fn set_metadata(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.metadata.insert(key.into(), value.into());
    }

    /// The file's bytes, all weights inside.
    ///
    /// # Errors
    /// If the model is larger than protobuf allows.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let stream = self.stream(&BTreeMap::new(), "");
        if stream.len() > LIMIT {
            return Err(Error::Option(
                "to_bytes: the model passes 2 GiB; `write` puts its weights into a file beside"
                    .into(),
            ));
        }
        let mut bytes = Vec::with_capacity(stream.len());
        let written = stream.write(&mut bytes);
        written.map_err(|e| Error::Unsound(e.to_string()))?;
        Ok(bytes)
    }

    /// Writes the file: beside its place first, then renamed. Where it would pass
    /// [`Options::external_over`](crate::Options::external_over), the large weights go into
    /// `<file>_data` beside it. One weight at a time is in memory.
    ///
    /// # Errors
    /// If the system refuses; then nothing is left behind.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let stream = self.stream(&BTreeMap::new(), "");
        if stream.len() > self.external_over.min(LIMIT) {
            return self.write_external(path);
        }
        let draft = draft(path, |file| stream.write(file))?;
        publish(draft, path)
    }

    /// Writes the graph to `path` and all large weights to `<file>_data` beside it, each at a
    /// multiple of 4096 bytes.
    ///
    /// # Errors
    /// If the system refuses; then nothing is left behind.
    pub fn write_external(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            let source = std::io::Error::from(std::io::ErrorKind::InvalidInput);
            return Err(Error::Write {
                path: path.into(),
                source,
            });
        };
        let beside = format!("{name}_data");
        let mut offsets: BTreeMap<ValueId, usize> = BTreeMap::new();
        let mut end = 0usize;
        for (id, data) in &self.graph.initializers {
            if data.len() >= LARGE {
                let start = end.next_multiple_of(PAGE);
                offsets.insert(*id, start);
                end = start + data.len();
            }
        }
        let data_path = path.with_file_name(&beside);
        let weights = draft(&data_path, |file| {
            let mut written = 0;
            for (id, start) in &offsets {
                let data = &self.graph.initializers[id];
                file.write_all(&vec![0; start - written])?;
                file.write_all(&data.bytes())?;
                written = start + data.len();
            }
            Ok(())
        })?;
        let stream = self.stream(&offsets, &beside);
        let graph = draft(path, |file| stream.write(file))?;
        // Both are whole. The graph that names the weights comes last.
        publish(weights, &data_path)?;
        publish(graph, path).inspect_err(|_| {
            let _ = std::fs::remove_file(&data_path);
        })
    }

    /// The file, with the weights at `offsets` in the file `beside`.
    fn stream(&self, offsets: &BTreeMap<ValueId, usize>, beside: &str) -> Stream<'_> {
        let model = ModelProto {
            ir_version: crate::graph::opset::ir_version(self.opset),
            producer_name: self.producer.0.clone(),
            producer_version: self.producer.1.clone(),
            graph: None,
            opset_import: vec![OperatorSetIdProto {
                domain: String::new(),
                version: self.opset,
            }],
            metadata_props: self
                .metadata
                .iter()
                .map(|(key, value)| entry(key, value))
                .collect(),
        };
        let weights = self.graph.initializers.iter().map(|(id, data)| {
            let name = self.graph.values[*id].name.clone();
            match offsets.get(id) {
                Some(offset) => (outside(name, data, beside, *offset), None),
                None => (tensor(name, data), Some(data)),
            }
        });
        Stream::new(&model, &self.graph_proto(), weights)
    }

    /// The graph without its initializers.
    fn graph_proto(&self) -> GraphProto {
        let graph = &self.graph;
        let info = |id: &ValueId| value_info(graph, &graph.values[*id]);
        let inner = graph
            .nodes
            .iter()
            .flat_map(|node| &node.outputs)
            .filter(|id| !graph.outputs.contains(id));
        GraphProto {
            node: graph
                .nodes
                .iter()
                .map(|inside| node(graph, inside))
                .collect(),
            name: graph.name.clone(),
            initializer: Vec::new(),
            input: graph.inputs.iter().map(info).collect(),
            output: graph.outputs.iter().map(info).collect(),
            value_info: inner.map(info).collect(),
        }
    }
}

/// Stores pairs in an ONNX file that is there already, such as what a check of it found. They go
/// behind its end, where protobuf takes further entries of a list: the rest stays as it is.
///
/// # Errors
/// If the system refuses.
pub fn append_metadata<'a>(
    path: impl AsRef<Path>,
    pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<()> {
    let path = path.as_ref();
    let entries = ModelProto {
        metadata_props: pairs.into_iter().map(|(k, v)| entry(k, v)).collect(),
        ..ModelProto::default()
    };
    let file = std::fs::OpenOptions::new().append(true).open(path);
    let written = file.and_then(|mut file| file.write_all(&entries.encode_to_vec()));
    written.map_err(|source| refused(path, source))
}

/// A file beside `path`, filled; it goes when it is dropped.
fn draft(
    path: &Path,
    fill: impl FnOnce(&mut std::io::BufWriter<&mut std::fs::File>) -> std::io::Result<()>,
) -> Result<NewFile> {
    let attempt = || {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut file = NewFile::beside(path)?;
        let mut writer = std::io::BufWriter::new(file.file());
        fill(&mut writer)?;
        writer.flush()?;
        drop(writer);
        Ok(file)
    };
    attempt().map_err(|source| refused(path, source))
}

/// Gives a filled file its name: there is never half of one.
fn publish(file: NewFile, path: &Path) -> Result<()> {
    file.publish(path).map_err(|error| refused(path, error))
}

fn refused(path: &Path, source: std::io::Error) -> Error {
    Error::Write {
        path: path.into(),
        source,
    }
}
