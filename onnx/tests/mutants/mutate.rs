//! One thing of a file made wrong, in every place that has it.

use prost::Message;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto};

pub struct Mutant {
    /// The node.
    pub at: String,
    pub bytes: Vec<u8>,
}

/// A mutant for every node that `change` changes.
fn each(bytes: &[u8], change: impl Fn(&mut GraphProto, usize) -> bool) -> Vec<Mutant> {
    let model = ModelProto::decode(bytes).unwrap();
    let count = model.graph.as_ref().unwrap().node.len();
    (0..count)
        .filter_map(|index| {
            let mut model = model.clone();
            let graph = model.graph.as_mut().unwrap();
            let node = &graph.node[index];
            let at = format!("{} ({})", node.name, node.op_type);
            change(graph, index).then(|| Mutant {
                at,
                bytes: model.encode_to_vec(),
            })
        })
        .collect()
}

/// The node as another operator of one input.
fn becomes_identity(node: &mut NodeProto, input: String) {
    node.op_type = "Identity".into();
    node.input = vec![input];
    node.attribute.clear();
}

fn initializer<'a>(graph: &'a GraphProto, name: &str) -> Option<&'a TensorProto> {
    graph.initializer.iter().find(|tensor| tensor.name == name)
}

fn attribute<'a>(node: &'a mut NodeProto, name: &str) -> Option<&'a mut AttributeProto> {
    node.attribute
        .iter_mut()
        .find(|attribute| attribute.name == name)
}

/// A size read from an input's shape, as it was in a trace: 5.
pub fn frozen_sizes(bytes: &[u8]) -> Vec<Mutant> {
    each(bytes, |graph, index| {
        if graph.node[index].op_type != "Shape" {
            return false;
        }
        graph.initializer.push(TensorProto {
            dims: vec![1],
            data_type: DataType::Int64 as i32,
            name: "frozen".into(),
            raw_data: 5i64.to_le_bytes().to_vec(),
            ..TensorProto::default()
        });
        becomes_identity(&mut graph.node[index], "frozen".into());
        true
    })
}

/// Two axes of a permutation exchanged, or a reduction along the axis before.
pub fn swapped_axes(bytes: &[u8]) -> Vec<Mutant> {
    each(bytes, |graph, index| {
        let node = &mut graph.node[index];
        match node.op_type.as_str() {
            "Transpose" => {
                let perm = &mut attribute(node, "perm").unwrap().ints;
                let last = perm.len() - 1;
                perm.swap(last - 1, last);
                true
            }
            "Softmax" | "Concat" => {
                let Some(axis) = attribute(node, "axis") else {
                    return false;
                };
                axis.i -= 1;
                // Shape arithmetic joins vectors, which have no other axis.
                axis.i != -1 || node.op_type == "Softmax"
            }
            _ => false,
        }
    })
}

/// A sum with a vector of weights, without it.
pub fn dropped_biases(bytes: &[u8]) -> Vec<Mutant> {
    each(bytes, |graph, index| {
        let node = &graph.node[index];
        let bias = node
            .input
            .iter()
            .position(|name| initializer(graph, name).is_some_and(|tensor| tensor.dims.len() == 1));
        match (node.op_type.as_str(), bias) {
            ("Add", Some(bias)) => {
                let kept = node.input[1 - bias].clone();
                becomes_identity(&mut graph.node[index], kept);
                true
            }
            ("Gemm" | "LayerNormalization", Some(_)) if node.input.len() == 3 => {
                graph.node[index].input.truncate(2);
                true
            }
            _ => false,
        }
    })
}

/// A triangle that begins at the first key rather than so that it ends at the last: the
/// comparison's own operands without what moves them.
pub fn misaligned_masks(bytes: &[u8]) -> Vec<Mutant> {
    const COMPARISONS: [&str; 4] = ["Less", "LessOrEqual", "Greater", "GreaterOrEqual"];
    each(bytes, |graph, index| {
        let made = |name: &str| {
            graph
                .node
                .iter()
                .position(|node| node.output.iter().any(|out| out == name))
        };
        let compared = |node: &NodeProto| {
            let readers = graph
                .node
                .iter()
                .filter(|other| other.input.contains(&node.output[0]));
            let reads = |other: &NodeProto| COMPARISONS.contains(&other.op_type.as_str());
            readers.clone().any(reads)
        };
        let node = &graph.node[index];
        if !["Add", "Sub"].contains(&node.op_type.as_str()) || !compared(node) {
            return false;
        }
        let from_range = |name: &str| made(name).is_some();
        let Some(kept) = node.input.iter().find(|name| from_range(name)).cloned() else {
            return false;
        };
        becomes_identity(&mut graph.node[index], kept);
        true
    })
}
