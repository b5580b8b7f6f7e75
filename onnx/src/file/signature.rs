//! What an ONNX file declares: its inputs and outputs, read without the weights.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use burn::tensor::{BoolStore, DType};
use prost::bytes::Buf;

use super::lookups::{Node, rows};
use super::parts::{Part, parts};
use super::proto::{DimensionProto, GraphProto, TensorProto, ValueInfoProto};
use super::{Error, Result, Streamed};
use crate::graph::build::DataType;

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
        let mut graph = GraphProto::default();
        let mut metadata = BTreeMap::new();
        parts(bytes, |part| match part {
            Part::Node(node, _) => graph.node.push(node),
            Part::Weight(head, _) => graph.initializer.push(head),
            Part::Input(info) => graph.input.push(info),
            Part::Output(info) => graph.output.push(info),
            Part::Metadata(pair, _) => {
                metadata.insert(pair.key, pair.value);
            }
            Part::InGraph(_) | Part::Around(_) => {}
        })?;
        if graph.output.is_empty() {
            return Err("not an ONNX file (it gives no output)".into());
        }
        // Files before IR version 4 list their weights among the inputs too.
        let weights: BTreeSet<&str> = graph.initializer.iter().map(|w| w.name.as_str()).collect();
        let given = graph.input.iter();
        let given = given.filter(|info| !weights.contains(info.name.as_str()));
        let inputs = given.map(|info| port(info).map_err(|e| format!("input {e}")));
        let outputs = graph.output.iter();
        let outputs = outputs.map(|info| port(info).map_err(|e| format!("output {e}")));
        let inputs = inputs.collect::<std::result::Result<Vec<_>, _>>()?;
        let (mut nodes, mut shapes) = (Vec::new(), BTreeMap::new());
        flatten(&graph, &mut nodes, &mut shapes);
        let names: Vec<_> = inputs.iter().map(|port| port.name.as_str()).collect();
        Ok(Self {
            rows: rows(&names, &nodes, &shapes),
            inputs,
            outputs: outputs.collect::<std::result::Result<_, _>>()?,
            weights: most(&graph.initializer),
            metadata,
        })
    }

    /// The input called `name`.
    pub fn input(&self, name: &str) -> Option<&Port> {
        self.inputs.iter().find(|port| port.name == name)
    }
}

/// The floating type of most of `weights`, where that is not float32.
fn most(weights: &[TensorProto]) -> Option<DType> {
    let size = |dims: &[i64]| {
        dims.iter()
            .fold(1i64, |size, dim| size.saturating_mul(*dim))
    };
    let elements = |code: i32| -> i64 {
        let own = weights.iter().filter(|weight| weight.data_type == code);
        own.fold(0, |sum, weight| sum.saturating_add(size(&weight.dims)))
    };
    let floating = [DataType::Float, DataType::Float16, DataType::BFloat16];
    let most = floating.into_iter().rev().map(|own| own as i32);
    let most = most.max_by_key(|code| elements(*code))?;
    dtype(most).filter(|_| most != DataType::Float as i32)
}

/// The nodes of `graph` and the shapes of its weights, with those of the graphs within it.
fn flatten(graph: &GraphProto, nodes: &mut Vec<Node>, shapes: &mut BTreeMap<String, Vec<usize>>) {
    for weight in &graph.initializer {
        let dims = weight.dims.iter();
        let dims = dims.map(|dim| usize::try_from(*dim).unwrap_or(0));
        shapes.insert(weight.name.clone(), dims.collect());
    }
    for node in &graph.node {
        let axis = node.attribute.iter().find(|own| own.name == "axis");
        nodes.push(Node {
            kind: node.op_type.clone(),
            inputs: node.input.clone(),
            outputs: node.output.clone(),
            axis: axis.and_then(|axis| axis.i).unwrap_or(0),
        });
        for within in node.attribute.iter().filter_map(|own| own.g.as_ref()) {
            flatten(within, nodes, shapes);
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

/// What `info` declares.
fn port(info: &ValueInfoProto) -> std::result::Result<Port, String> {
    let name = info.name.clone();
    let tensor = info.r#type.as_ref().and_then(|t| t.tensor_type.as_ref());
    let tensor = tensor.ok_or_else(|| format!("`{name}` is not a tensor"))?;
    let dtype = dtype(tensor.elem_type).ok_or_else(|| {
        format!(
            "`{name}` has ONNX element type {}, which is not supported",
            tensor.elem_type
        )
    })?;
    let shape = tensor.shape.as_ref();
    let dims = shape.map(|shape| shape.dim.iter().map(dim).collect());
    Ok(Port { name, dtype, dims })
}

fn dim(proto: &DimensionProto) -> Dim {
    match proto.dim_value.map(usize::try_from) {
        Some(Ok(size)) => Dim::Fixed(size),
        _ => Dim::Named(proto.dim_param.clone().unwrap_or_default()),
    }
}

/// The element type that ONNX numbers `code`.
pub(super) fn dtype(code: i32) -> Option<DType> {
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
