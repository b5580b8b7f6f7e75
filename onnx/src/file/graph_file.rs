//! ONNX files cut apart: some values come in, some go out, and the nodes between are kept as they
//! are, byte for byte.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::DType;

use super::Streamed;
use super::parts::{Part, Span, parts};
use super::proto::{AttributeProto, NodeProto};
use super::signature::dtype;

/// A graph: where its parts lie in the file. Its weights stay there.
pub struct GraphFile {
    pub(super) path: PathBuf,
    /// The file's fields other than the graph.
    pub(super) around: Vec<Span>,
    /// The graph's fields other than those below.
    pub(super) rest: Vec<Span>,
    /// Its nodes, in the order of the computation.
    pub nodes: Vec<Node>,
    pub(super) initializers: BTreeMap<String, (Span, i32)>,
    /// Its inputs, in order.
    pub inputs: Vec<String>,
    /// Its outputs, in order.
    pub outputs: Vec<String>,
}

/// A node.
pub struct Node {
    /// What the file says of it.
    pub(super) body: Vec<u8>,
    /// Its name; empty where it has none.
    pub name: String,
    /// The operator.
    pub op: String,
    /// What it reads; empty where an optional input is left out.
    pub inputs: Vec<String>,
    /// What it writes.
    pub outputs: Vec<String>,
    /// What the graphs in its attributes read.
    pub(super) captured: Vec<String>,
}

impl GraphFile {
    /// Reads the ONNX file at `path`.
    pub fn read(path: &Path) -> Result<Self, String> {
        let mut file = Self {
            path: path.to_path_buf(),
            around: Vec::new(),
            rest: Vec::new(),
            nodes: Vec::new(),
            initializers: BTreeMap::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
        };
        let bytes = Streamed::open(path).map_err(|e| e.to_string())?;
        parts(bytes, |part| match part {
            Part::Node(node, body) => file.nodes.push(Node::of(node, body)),
            Part::Weight(head, span) => {
                file.initializers.insert(head.name, (span, head.data_type));
            }
            Part::Input(info) => file.inputs.push(info.name),
            Part::Output(info) => file.outputs.push(info.name),
            Part::InGraph(span) => file.rest.push(span),
            Part::Metadata(_, span) | Part::Around(span) => file.around.push(span),
        })?;
        let weights = &file.initializers;
        file.inputs.retain(|input| !weights.contains_key(input));
        Ok(file)
    }

    /// Whether `name` is a weight of the file, and its element type.
    pub fn weight(&self, name: &str) -> Option<DType> {
        let (_, code) = self.initializers.get(name)?;
        let own = dtype(*code).filter(DType::is_float);
        Some(own.unwrap_or(DType::F32))
    }

    /// Whether `name` is a weight of the file that holds numbers with a fraction.
    pub fn float_weight(&self, name: &str) -> bool {
        let weight = self.initializers.get(name);
        weight.is_some_and(|(_, code)| dtype(*code).is_some_and(|own| own.is_float()))
    }

    /// The nodes that read `value`, by number.
    pub fn readers(&self, value: &str) -> Vec<usize> {
        let reads = |node: &Node| node.inputs.iter().any(|input| input == value);
        let nodes = self.nodes.iter().enumerate();
        nodes
            .filter(|(_, node)| reads(node))
            .map(|(i, _)| i)
            .collect()
    }

    /// The node that writes `value`.
    pub fn writer(&self, value: &str) -> Option<usize> {
        let writes = |node: &Node| node.outputs.iter().any(|output| output == value);
        self.nodes.iter().position(writes)
    }
}

impl Node {
    fn of(node: NodeProto, body: Vec<u8>) -> Self {
        let mut captured = Vec::new();
        reads(&node.attribute, &mut captured);
        Self {
            body,
            name: node.name,
            op: node.op_type,
            inputs: node.input,
            outputs: node.output,
            captured,
        }
    }
}

/// What the graphs in `attributes` read.
fn reads(attributes: &[AttributeProto], found: &mut Vec<String>) {
    let graphs = attributes.iter().filter_map(|own| own.g.as_ref());
    for node in graphs.flat_map(|graph| &graph.node) {
        found.extend(node.input.iter().cloned());
        reads(&node.attribute, found);
    }
}
