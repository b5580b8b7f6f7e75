//! The finished model: its summary, and its bytes.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use prost::Message;

use crate::error::{Error, Result};
use crate::graph::{Attr, Data, DataType, Graph, Value, ValueId};
use crate::proto::{
    AttributeProto, DimensionProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto,
    StringStringEntryProto, TensorProto, TensorShapeProto, TensorTypeProto, TypeProto,
    ValueInfoProto, attribute_type,
};

/// Files may not pass this size: protobuf's own limit.
const LIMIT: usize = (1 << 31) - (1 << 20);
/// Initializers of at least this many bytes move out of a file that would be too large.
const LARGE: usize = 1 << 10;
/// External data starts at multiples of this, so that it can be mapped.
const PAGE: usize = 1 << 12;

/// A graph ready to be written.
#[derive(Clone, Debug)]
pub struct OnnxModel {
    pub(crate) graph: Graph,
    pub(crate) opset: i64,
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
        self.graph
            .initializers
            .values()
            .map(|data| data.bytes.len())
            .sum()
    }

    /// How many nodes there are.
    pub fn node_count(&self) -> usize {
        self.graph.nodes.len()
    }

    /// How often each operator occurs.
    pub fn operators(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for node in &self.graph.nodes {
            *counts.entry(node.op).or_default() += 1;
        }
        counts
    }

    /// The name and operator of every node, in order.
    pub fn nodes(&self) -> impl Iterator<Item = (&str, &'static str)> {
        self.graph
            .nodes
            .iter()
            .map(|node| (node.name.as_str(), node.op))
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

    /// The file's bytes, all weights inside.
    ///
    /// # Errors
    /// If the model is larger than protobuf allows.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        if self.weight_bytes() > LIMIT {
            return Err(Error::Option(
                "to_bytes: the weights pass 2 GiB; `write` puts them into a file beside".into(),
            ));
        }
        Ok(self
            .model(|_, data| Place::Inside(data.bytes.clone()))
            .encode_to_vec())
    }

    /// Writes the file: beside its place first, then renamed. Weights that would pass the format's
    /// limit of 2 GiB go into `<file>.data` beside it.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        if self.weight_bytes() > LIMIT {
            return self.write_external(path);
        }
        let bytes = self.to_bytes()?;
        put(path, |file| file.write_all(&bytes))
    }

    /// Writes the graph to `path` and all large weights to `<file>.data` beside it.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn write_external(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            let source = std::io::Error::from(std::io::ErrorKind::InvalidInput);
            return Err(Error::Write {
                path: path.into(),
                source,
            });
        };
        let beside = format!("{name}.data");
        let mut offsets: BTreeMap<ValueId, usize> = BTreeMap::new();
        let mut end = 0usize;
        for (id, data) in &self.graph.initializers {
            if data.bytes.len() >= LARGE {
                let start = end.next_multiple_of(PAGE);
                offsets.insert(*id, start);
                end = start + data.bytes.len();
            }
        }
        put(&path.with_file_name(&beside), |file| {
            let mut written = 0;
            for (id, start) in &offsets {
                let data = &self.graph.initializers[id];
                file.write_all(&vec![0; start - written])?;
                file.write_all(&data.bytes)?;
                written = start + data.bytes.len();
            }
            Ok(())
        })?;
        let model = self.model(|id, data| match offsets.get(&id) {
            Some(offset) => Place::Outside {
                file: beside.clone(),
                offset: *offset,
                length: data.bytes.len(),
            },
            None => Place::Inside(data.bytes.clone()),
        });
        put(path, |file| file.write_all(&model.encode_to_vec()))
    }

    fn model(&self, place: impl Fn(ValueId, &Data) -> Place) -> ModelProto {
        ModelProto {
            // The format's version of opset 18.
            ir_version: 8,
            producer_name: self.producer.0.clone(),
            producer_version: self.producer.1.clone(),
            graph: Some(self.graph_proto(place)),
            opset_import: vec![OperatorSetIdProto {
                domain: String::new(),
                version: self.opset,
            }],
            metadata_props: self
                .metadata
                .iter()
                .map(|(key, value)| entry(key, value))
                .collect(),
        }
    }

    fn graph_proto(&self, place: impl Fn(ValueId, &Data) -> Place) -> GraphProto {
        let graph = &self.graph;
        let name = |id: &ValueId| graph.values[*id].name.clone();
        let info = |id: &ValueId| value_info(graph, &graph.values[*id]);
        let node = graph
            .nodes
            .iter()
            .map(|node| NodeProto {
                input: node
                    .inputs
                    .iter()
                    .map(|input| input.as_ref().map(name).unwrap_or_default())
                    .collect(),
                output: node.outputs.iter().map(name).collect(),
                name: node.name.clone(),
                op_type: node.op.to_string(),
                attribute: node
                    .attrs
                    .iter()
                    .map(|(name, attr)| attribute(name, attr))
                    .collect(),
            })
            .collect();
        let initializer = graph
            .initializers
            .iter()
            .map(|(id, data)| tensor(name(id), data, place(*id, data)))
            .collect();
        let inner = graph
            .nodes
            .iter()
            .flat_map(|node| &node.outputs)
            .filter(|id| !graph.outputs.contains(id));
        GraphProto {
            node,
            name: graph.name.clone(),
            initializer,
            input: graph.inputs.iter().map(info).collect(),
            output: graph.outputs.iter().map(info).collect(),
            value_info: inner.map(info).collect(),
        }
    }
}

/// Where an initializer's bytes stand.
enum Place {
    Inside(Vec<u8>),
    Outside {
        file: String,
        offset: usize,
        length: usize,
    },
}

fn entry(key: &str, value: &str) -> StringStringEntryProto {
    StringStringEntryProto {
        key: key.into(),
        value: value.into(),
    }
}

fn tensor(name: String, data: &Data, place: Place) -> TensorProto {
    let mut tensor = TensorProto {
        dims: data.dims.iter().map(|dim| *dim as i64).collect(),
        data_type: data.dtype as i32,
        name,
        ..TensorProto::default()
    };
    match place {
        Place::Inside(bytes) => tensor.raw_data = Some(bytes),
        Place::Outside {
            file,
            offset,
            length,
        } => {
            tensor.data_location = Some(1);
            tensor.external_data = vec![
                entry("location", &file),
                entry("offset", &offset.to_string()),
                entry("length", &length.to_string()),
            ];
        }
    }
    tensor
}

fn attribute(name: &str, attr: &Attr) -> AttributeProto {
    let mut proto = AttributeProto {
        name: name.into(),
        ..AttributeProto::default()
    };
    match attr {
        Attr::Int(value) => {
            proto.i = Some(*value);
            proto.r#type = attribute_type::INT;
        }
        Attr::Float(value) => {
            proto.f = Some(*value);
            proto.r#type = attribute_type::FLOAT;
        }
        Attr::Ints(values) => {
            proto.ints.clone_from(values);
            proto.r#type = attribute_type::INTS;
        }
        Attr::Text(value) => {
            proto.s = Some(value.as_bytes().to_vec());
            proto.r#type = attribute_type::STRING;
        }
    }
    proto
}

fn value_info(graph: &Graph, value: &Value) -> ValueInfoProto {
    let dim = value
        .shape
        .iter()
        .map(|dim| match dim.as_constant() {
            Some(number) => DimensionProto {
                dim_value: Some(number),
                dim_param: None,
            },
            None => DimensionProto {
                dim_value: None,
                dim_param: Some(graph.show(dim)),
            },
        })
        .collect();
    let tensor_type = TensorTypeProto {
        elem_type: value.dtype as i32,
        shape: Some(TensorShapeProto { dim }),
    };
    ValueInfoProto {
        name: value.name.clone(),
        r#type: Some(TypeProto {
            tensor_type: Some(tensor_type),
        }),
    }
}

/// Writes beside and renames, so that there is never half a file.
fn put(
    path: &Path,
    fill: impl FnOnce(&mut std::io::BufWriter<&std::fs::File>) -> std::io::Result<()>,
) -> Result<()> {
    let attempt = || {
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        std::fs::create_dir_all(folder)?;
        let file = tempfile::Builder::new()
            .prefix(".onnx-")
            .tempfile_in(folder)?;
        let mut writer = std::io::BufWriter::new(file.as_file());
        fill(&mut writer)?;
        writer.flush()?;
        drop(writer);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            file.as_file()
                .set_permissions(std::fs::Permissions::from_mode(0o644))?;
        }
        file.persist(path)?;
        Ok(())
    };
    attempt().map_err(|source| Error::Write {
        path: path.into(),
        source,
    })
}
