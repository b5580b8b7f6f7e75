//! ONNX files cut apart: some values come in, some go out, and the nodes between are kept as they
//! are, byte for byte.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::DType;
use prost::Message;
use prost::bytes::Buf;
use prost::encoding::{WireType, decode_key, decode_varint};

use super::Streamed;

/// A graph: where its parts lie in the file. Its weights stay there.
pub struct GraphFile {
    pub(super) path: PathBuf,
    /// The file's fields other than the graph.
    pub(super) around: Vec<(u32, Span)>,
    /// The graph's fields other than those below.
    pub(super) rest: Vec<(u32, Span)>,
    /// Its nodes, in the order of the computation.
    pub nodes: Vec<Node>,
    pub(super) initializers: BTreeMap<String, (Span, i32)>,
    /// Its inputs, in order.
    pub inputs: Vec<String>,
    /// Its outputs, in order.
    pub outputs: Vec<String>,
}

/// A field with its key, from and to.
pub(super) type Span = (u64, u64);

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

#[derive(Clone, PartialEq, Message)]
struct NodeHead {
    #[prost(string, repeated, tag = "1")]
    input: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    output: Vec<String>,
    #[prost(string, tag = "3")]
    name: String,
    #[prost(string, tag = "4")]
    op_type: String,
    #[prost(message, repeated, tag = "5")]
    attribute: Vec<AttributeHead>,
}

#[derive(Clone, PartialEq, Message)]
struct AttributeHead {
    #[prost(message, optional, tag = "6")]
    g: Option<GraphHead>,
}

#[derive(Clone, PartialEq, Message)]
struct GraphHead {
    #[prost(message, repeated, tag = "1")]
    node: Vec<NodeHead>,
}

#[derive(Clone, PartialEq, Message)]
struct Named {
    #[prost(string, tag = "1")]
    name: String,
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
        let mut bytes = Streamed::open(path).map_err(|e| e.to_string())?;
        let whole = bytes.left();
        let mut graph = false;
        while bytes.has_remaining() {
            let field = field(&mut bytes, whole)?;
            match field.tag {
                GRAPH if !graph => {
                    graph = true;
                    let after = bytes.left() - field.length;
                    while bytes.left() > after {
                        file.part(&mut bytes, whole)?;
                    }
                    if bytes.left() < after {
                        return Err("it ends early".into());
                    }
                }
                tag => {
                    file.around.push((tag, field.span));
                    bytes.advance(field.length as usize);
                }
            }
        }
        if !graph {
            return Err("it holds no graph".into());
        }
        let weights = &file.initializers;
        file.inputs.retain(|input| !weights.contains_key(input));
        Ok(file)
    }

    /// Reads the next field of the graph.
    fn part(&mut self, bytes: &mut Streamed, whole: u64) -> Result<(), String> {
        let wrong = |e: prost::DecodeError| e.to_string();
        let Field {
            tag, span, length, ..
        } = field(bytes, whole)?;
        let length = length as usize;
        match tag {
            NODE => {
                let body = bytes.take(length);
                let head = NodeHead::decode(&*body).map_err(wrong)?;
                let mut captured = Vec::new();
                head.attribute.iter().for_each(|a| reads(a, &mut captured));
                self.nodes.push(Node {
                    body,
                    name: head.name,
                    op: head.op_type,
                    inputs: head.input,
                    outputs: head.output,
                    captured,
                });
            }
            INITIALIZER => {
                let after = bytes.left() - length as u64;
                let (mut name, mut code) = (String::new(), 0);
                while bytes.left() > after {
                    let inner = field(bytes, whole)?;
                    match inner.tag {
                        DATA_TYPE => code = inner.value as i32,
                        NAME => {
                            let text = bytes.take(inner.length as usize);
                            name = String::from_utf8_lossy(&text).into_owned();
                        }
                        _ => bytes.advance(inner.length as usize),
                    }
                }
                self.initializers.insert(name, (span, code));
            }
            INPUT => {
                let head = Named::decode(&*bytes.take(length)).map_err(wrong)?;
                self.inputs.push(head.name);
            }
            OUTPUT => {
                let head = Named::decode(&*bytes.take(length)).map_err(wrong)?;
                self.outputs.push(head.name);
            }
            VALUE_INFO => bytes.advance(length),
            _ => {
                self.rest.push((tag, span));
                bytes.advance(length);
            }
        }
        Ok(())
    }

    /// Whether `name` is a weight of the file, and its element type.
    pub fn weight(&self, name: &str) -> Option<DType> {
        let (_, code) = self.initializers.get(name)?;
        Some(match code {
            10 => DType::F16,
            11 => DType::F64,
            16 => DType::BF16,
            _ => DType::F32,
        })
    }

    /// Whether `name` is a weight of the file that holds numbers with a fraction.
    pub fn float_weight(&self, name: &str) -> bool {
        let weight = self.initializers.get(name);
        weight.is_some_and(|(_, code)| [1, 10, 11, 16].contains(code))
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

// Field numbers of onnx.proto.
pub(super) const GRAPH: u32 = 7;
pub(super) const NODE: u32 = 1;
pub(super) const INITIALIZER: u32 = 5;
pub(super) const INPUT: u32 = 11;
pub(super) const OUTPUT: u32 = 12;
pub(super) const VALUE_INFO: u32 = 13;

// Of `TensorProto`.
pub(super) const DATA_TYPE: u32 = 2;
pub(super) const NAME: u32 = 8;

pub(super) struct Field {
    pub(super) tag: u32,
    /// The field with its key, whole numbers with their value.
    pub(super) span: Span,
    /// How many bytes of content follow.
    pub(super) length: u64,
    /// What a whole number is.
    value: u64,
}

/// Reads the key of the field at which `bytes` are, of `whole` in all, to where its content starts.
pub(super) fn field(bytes: &mut impl Buf, whole: u64) -> Result<Field, String> {
    let wrong = |e: prost::DecodeError| format!("not an ONNX file ({e})");
    let start = whole - bytes.remaining() as u64;
    let (tag, kind) = decode_key(bytes).map_err(wrong)?;
    let (mut length, mut value) = (0, 0);
    match kind {
        WireType::Varint => value = decode_varint(bytes).map_err(wrong)?,
        WireType::LengthDelimited => length = decode_varint(bytes).map_err(wrong)?,
        WireType::SixtyFourBit => length = 8,
        WireType::ThirtyTwoBit => length = 4,
        WireType::StartGroup | WireType::EndGroup => {
            return Err("not an ONNX file (it has groups)".into());
        }
    }
    if length > bytes.remaining() as u64 {
        return Err("it ends early".into());
    }
    let span = (start, whole - bytes.remaining() as u64 + length);
    Ok(Field {
        tag,
        span,
        length,
        value,
    })
}

fn reads(attribute: &AttributeHead, found: &mut Vec<String>) {
    for node in attribute.g.iter().flat_map(|graph| &graph.node) {
        found.extend(node.input.iter().cloned());
        node.attribute.iter().for_each(|a| reads(a, found));
    }
}
