//! What an ONNX file declares: its inputs and outputs, read without the weights.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::{BoolStore, DType};
use prost::Message;
use prost::bytes::Buf;

use super::lookups::{Node, rows};
use super::{Error, Result, Streamed};

/// The inputs and outputs of an ONNX file, in its order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Signature {
    /// What it takes.
    pub inputs: Vec<Port>,
    /// What it gives.
    pub outputs: Vec<Port>,
    /// The element type of most of its weights, where that is not float32.
    pub weights: Option<DType>,
    /// How many rows the smallest table has that each input looks up, by the input's name.
    pub rows: BTreeMap<String, usize>,
    /// The free pairs that it carries; of a key that is there twice the last.
    pub metadata: BTreeMap<String, String>,
}

/// One input or output.
#[derive(Debug, Clone, PartialEq)]
pub struct Port {
    /// Its name.
    pub name: String,
    /// Its element type.
    pub dtype: DType,
    /// Its axes; `None` where the file does not declare them.
    pub dims: Option<Vec<Dim>>,
}

/// One axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dim {
    /// Of this size always.
    Fixed(usize),
    /// Of a size that this name (or nothing at all) stands for.
    Named(String),
}

impl Signature {
    /// Reads the declarations of the ONNX file at `path`.
    ///
    /// # Errors
    /// When the file cannot be read, is not an ONNX model, or declares an input or output that
    /// is no tensor of a number type known here.
    pub fn read(path: &Path) -> Result<Self> {
        let file = Streamed::open(path).map_err(|source| Error::Io {
            path: path.to_path_buf(),
            source,
        })?;
        Self::parse(file).map_err(|reason| Error::Model {
            path: path.to_path_buf(),
            reason,
        })
    }

    /// The declarations of the file `bytes`.
    fn parse(bytes: impl Buf) -> std::result::Result<Self, String> {
        let model = ModelProto::decode(bytes).map_err(|e| format!("not an ONNX file ({e})"))?;
        let graph = model.graph.ok_or("not an ONNX file (it holds no graph)")?;
        // Files before IR version 4 list their weights among the inputs too.
        let weight = |port: &&ValueInfoProto| graph.initializer.iter().any(|w| w.name == port.name);
        let ports = |infos: &[&ValueInfoProto], what: &str| -> std::result::Result<Vec<_>, _> {
            infos
                .iter()
                .map(|info| info.port().map_err(|e| format!("{what} {e}")))
                .collect()
        };
        let inputs: Vec<_> = graph.input.iter().filter(|i| !weight(i)).collect();
        let outputs: Vec<_> = graph.output.iter().collect();
        if outputs.is_empty() {
            return Err("not an ONNX file (it gives no output)".into());
        }
        let (mut nodes, mut shapes) = (Vec::new(), BTreeMap::new());
        graph.flatten(&mut nodes, &mut shapes);
        let names: Vec<_> = inputs.iter().map(|info| info.name.as_str()).collect();
        Ok(Self {
            inputs: ports(&inputs, "input")?,
            outputs: ports(&outputs, "output")?,
            weights: weights(&graph.initializer),
            rows: rows(&names, &nodes, &shapes),
            metadata: pairs(model.metadata_props),
        })
    }

    /// The input called `name`.
    pub fn input(&self, name: &str) -> Option<&Port> {
        self.inputs.iter().find(|port| port.name == name)
    }
}

fn pairs(pairs: Vec<PairProto>) -> BTreeMap<String, String> {
    pairs
        .into_iter()
        .map(|pair| (pair.key, pair.value))
        .collect()
}

/// The floating type of most of `weights`, where that is not float32.
fn weights(weights: &[TensorProto]) -> Option<DType> {
    let elements = |code: i32| -> i64 {
        let own = weights.iter().filter(|weight| weight.data_type == code);
        own.map(|weight| weight.dims.iter().product::<i64>()).sum()
    };
    let most = [FLOAT, FLOAT16, BFLOAT16].into_iter().rev();
    let most = most.max_by_key(|code| elements(*code))?;
    dtype(most).filter(|_| most != FLOAT)
}

/// ONNX's numbers of the types that weights have.
const FLOAT: i32 = 1;
const FLOAT16: i32 = 10;
const BFLOAT16: i32 = 16;

// The few fields of onnx.proto that are read here; prost skips the rest, weights included.

#[derive(Clone, PartialEq, Message)]
struct ModelProto {
    #[prost(message, optional, tag = "7")]
    graph: Option<GraphProto>,
    #[prost(message, repeated, tag = "14")]
    metadata_props: Vec<PairProto>,
}

#[derive(Clone, PartialEq, Message)]
struct PairProto {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct GraphProto {
    #[prost(message, repeated, tag = "1")]
    node: Vec<NodeProto>,
    #[prost(message, repeated, tag = "5")]
    initializer: Vec<TensorProto>,
    #[prost(message, repeated, tag = "11")]
    input: Vec<ValueInfoProto>,
    #[prost(message, repeated, tag = "12")]
    output: Vec<ValueInfoProto>,
}

#[derive(Clone, PartialEq, Message)]
struct NodeProto {
    #[prost(string, repeated, tag = "1")]
    input: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    output: Vec<String>,
    #[prost(string, tag = "4")]
    op_type: String,
    #[prost(message, repeated, tag = "5")]
    attribute: Vec<AttributeProto>,
}

#[derive(Clone, PartialEq, Message)]
struct AttributeProto {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(int64, tag = "3")]
    i: i64,
    #[prost(message, optional, tag = "6")]
    g: Option<GraphProto>,
}

#[derive(Clone, PartialEq, Message)]
struct TensorProto {
    #[prost(int64, repeated, tag = "1")]
    dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    data_type: i32,
    #[prost(string, tag = "8")]
    name: String,
}

#[derive(Clone, PartialEq, Message)]
struct ValueInfoProto {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, optional, tag = "2")]
    r#type: Option<TypeProto>,
}

#[derive(Clone, PartialEq, Message)]
struct TypeProto {
    #[prost(message, optional, tag = "1")]
    tensor_type: Option<TensorTypeProto>,
}

#[derive(Clone, PartialEq, Message)]
struct TensorTypeProto {
    #[prost(int32, tag = "1")]
    elem_type: i32,
    #[prost(message, optional, tag = "2")]
    shape: Option<ShapeProto>,
}

#[derive(Clone, PartialEq, Message)]
struct ShapeProto {
    #[prost(message, repeated, tag = "1")]
    dim: Vec<DimensionProto>,
}

#[derive(Clone, PartialEq, Message)]
struct DimensionProto {
    #[prost(int64, optional, tag = "1")]
    dim_value: Option<i64>,
    #[prost(string, optional, tag = "2")]
    dim_param: Option<String>,
}

impl GraphProto {
    /// Its nodes and the shapes of its weights, with those of the graphs within it.
    fn flatten(&self, nodes: &mut Vec<Node>, shapes: &mut BTreeMap<String, Vec<usize>>) {
        for weight in &self.initializer {
            let dims = weight
                .dims
                .iter()
                .map(|dim| usize::try_from(*dim).unwrap_or(0));
            shapes.insert(weight.name.clone(), dims.collect());
        }
        for node in &self.node {
            let axis = node.attribute.iter().find(|own| own.name == "axis");
            nodes.push(Node {
                kind: node.op_type.clone(),
                inputs: node.input.clone(),
                outputs: node.output.clone(),
                axis: axis.map_or(0, |axis| axis.i),
            });
            for within in node.attribute.iter().filter_map(|own| own.g.as_ref()) {
                within.flatten(nodes, shapes);
            }
        }
    }
}

impl std::fmt::Display for Dim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Fixed(size) => write!(f, "{size}"),
            Self::Named(name) if name.is_empty() => f.write_str("?"),
            Self::Named(name) => f.write_str(name),
        }
    }
}

impl ValueInfoProto {
    fn port(&self) -> std::result::Result<Port, String> {
        let name = self.name.clone();
        let tensor = self.r#type.as_ref().and_then(|t| t.tensor_type.as_ref());
        let tensor = tensor.ok_or_else(|| format!("`{name}` is not a tensor"))?;
        let dtype = dtype(tensor.elem_type).ok_or_else(|| {
            format!(
                "`{name}` has ONNX element type {}, which is not supported",
                tensor.elem_type
            )
        })?;
        let dims = tensor
            .shape
            .as_ref()
            .map(|shape| shape.dim.iter().map(dim).collect());
        Ok(Port { name, dtype, dims })
    }
}

fn dim(proto: &DimensionProto) -> Dim {
    match proto.dim_value.map(usize::try_from) {
        Some(Ok(size)) => Dim::Fixed(size),
        _ => Dim::Named(proto.dim_param.clone().unwrap_or_default()),
    }
}

/// The element type that ONNX numbers `code`.
fn dtype(code: i32) -> Option<DType> {
    Some(match code {
        1 => DType::F32,
        2 => DType::U8,
        3 => DType::I8,
        6 => DType::I32,
        7 => DType::I64,
        9 => DType::Bool(BoolStore::Native),
        10 => DType::F16,
        11 => DType::F64,
        16 => DType::BF16,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A one-layer decoder with a cache (`compare/tests/fixtures/generate.py`).
    const CACHED: &[u8] = include_bytes!("../../tests/fixtures/cached.onnx");

    #[test]
    fn reads_ports_and_leaves_out_weights() {
        let signature = Signature::parse(CACHED).unwrap();
        let names: Vec<_> = signature
            .inputs
            .iter()
            .map(|port| port.name.as_str())
            .collect();
        assert_eq!(
            names,
            [
                "input_ids",
                "attention_mask",
                "past_key_values.0.key",
                "past_key_values.0.value"
            ]
        );
        let key = signature.input("past_key_values.0.key").unwrap();
        assert_eq!(key.dtype, DType::F32);
        assert_eq!(
            key.dims.as_deref().unwrap(),
            [
                Dim::Named("batch".into()),
                Dim::Fixed(2),
                Dim::Named("past_sequence".into()),
                Dim::Fixed(4)
            ]
        );
        assert_eq!(signature.outputs[0].name, "logits");
    }

    #[test]
    fn what_is_no_onnx_file_is_an_error() {
        for bytes in [&b""[..], b"{\"config\": 1}", &CACHED[..40]] {
            let error = Signature::parse(bytes).unwrap_err();
            assert!(error.starts_with("not an ONNX file"), "{error}");
        }
    }
}
