//! ONNX files cut apart: some values come in, some go out, and the nodes between are kept as they
//! are, byte for byte.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufWriter, Write};
use std::path::Path;

use burn::tensor::DType;
use prost::Message;
use prost::encoding::{WireType, decode_key, decode_varint, encode_key, encode_varint};

/// A graph: where its parts lie in the file.
pub(super) struct File {
    bytes: Vec<u8>,
    /// The file's fields other than the graph.
    around: Vec<(u32, Span)>,
    /// The graph's fields other than those below.
    rest: Vec<(u32, Span)>,
    /// Its nodes, in the order of the computation.
    pub nodes: Vec<Node>,
    initializers: BTreeMap<String, (Span, i32)>,
    /// Its inputs, in order.
    pub inputs: Vec<String>,
    /// Its outputs, in order.
    pub outputs: Vec<String>,
}

/// A field with its key, from and to.
type Span = (usize, usize);

/// A node.
pub(super) struct Node {
    span: Span,
    body: usize,
    pub name: String,
    pub op: String,
    pub inputs: Vec<String>,
    pub outputs: Vec<String>,
    /// What the graphs in its attributes read.
    captured: Vec<String>,
}

/// A value that comes in, or goes out: its name, element type and, where known, sizes.
pub(super) struct Port {
    pub name: String,
    pub dtype: DType,
    pub dims: Option<Vec<usize>>,
}

/// What a value that comes in from outside is called.
pub(super) fn given(value: &str) -> String {
    format!("given/{value}")
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
struct TensorHead {
    #[prost(int32, tag = "2")]
    data_type: i32,
    #[prost(string, tag = "8")]
    name: String,
}

#[derive(Clone, PartialEq, Message)]
struct Named {
    #[prost(string, tag = "1")]
    name: String,
}

impl File {
    /// Reads the ONNX file `bytes`.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, String> {
        let mut around = fields(&bytes, 0, bytes.len())?;
        let at = around.iter().position(|field| field.tag == GRAPH);
        let graph = around.remove(at.ok_or("it holds no graph")?);
        let mut file = Self {
            bytes: Vec::new(),
            around: around.iter().map(|field| (field.tag, field.span)).collect(),
            rest: Vec::new(),
            nodes: Vec::new(),
            initializers: BTreeMap::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
        };
        for Field { tag, span, body } in fields(&bytes, graph.body, graph.span.1)? {
            let of = &bytes[body..span.1];
            match tag {
                NODE => {
                    let head = NodeHead::decode(of).map_err(|e| e.to_string())?;
                    let mut captured = Vec::new();
                    head.attribute.iter().for_each(|a| reads(a, &mut captured));
                    file.nodes.push(Node {
                        span,
                        body,
                        name: head.name,
                        op: head.op_type,
                        inputs: head.input,
                        outputs: head.output,
                        captured,
                    });
                }
                INITIALIZER => {
                    let head = TensorHead::decode(of).map_err(|e| e.to_string())?;
                    file.initializers.insert(head.name, (span, head.data_type));
                }
                INPUT => file
                    .inputs
                    .push(Named::decode(of).map_err(|e| e.to_string())?.name),
                OUTPUT => file
                    .outputs
                    .push(Named::decode(of).map_err(|e| e.to_string())?.name),
                VALUE_INFO => {}
                _ => file.rest.push((tag, span)),
            }
        }
        let weights = &file.initializers;
        file.inputs.retain(|input| !weights.contains_key(input));
        file.bytes = bytes;
        Ok(file)
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

    /// The file of what `outputs` need. What reads one of `cuts` reads the input
    /// [`given`] of it instead; `inputs` are the file's own, of which those that are needed stay.
    pub fn cut(&self, cuts: &[Port], outputs: &[Port], inputs: &[Port]) -> Pieces<'_> {
        let is_cut = |value: &str| cuts.iter().any(|cut| cut.name == value);
        let (mut needed, mut kept) = (BTreeSet::new(), BTreeSet::new());
        let mut open: Vec<&str> = outputs.iter().map(|port| port.name.as_str()).collect();
        let writers: BTreeMap<&str, usize> = self
            .nodes
            .iter()
            .enumerate()
            .flat_map(|(i, node)| node.outputs.iter().map(move |output| (output.as_str(), i)))
            .collect();
        while let Some(value) = open.pop() {
            if !needed.insert(value) {
                continue;
            }
            if let Some(writer) = writers.get(value)
                && kept.insert(*writer)
            {
                let node = &self.nodes[*writer];
                let reads = node.inputs.iter().filter(|input| !is_cut(input));
                open.extend(reads.chain(&node.captured).map(String::as_str));
            }
        }
        let mut graph = Pieces::default();
        for (i, node) in self.nodes.iter().enumerate() {
            if kept.contains(&i) {
                match node.inputs.iter().any(|input| is_cut(input)) {
                    true => graph.own(|graph| self.redirected(node, &is_cut, graph)),
                    false => graph.keep(&self.bytes, node.span),
                }
            }
        }
        for (name, (span, _)) in &self.initializers {
            if needed.contains(name.as_str()) {
                graph.keep(&self.bytes, *span);
            }
        }
        for (_, span) in &self.rest {
            graph.keep(&self.bytes, *span);
        }
        let read: BTreeSet<&str> = kept
            .iter()
            .flat_map(|i| self.nodes[*i].inputs.iter().map(String::as_str))
            .collect();
        for cut in cuts.iter().filter(|cut| read.contains(cut.name.as_str())) {
            graph.own(|graph| put(INPUT, &cut.info(&given(&cut.name)), graph));
        }
        for input in inputs
            .iter()
            .filter(|input| needed.contains(input.name.as_str()))
        {
            graph.own(|graph| put(INPUT, &input.info(&input.name), graph));
        }
        for output in outputs {
            graph.own(|graph| put(OUTPUT, &output.info(&output.name), graph));
        }
        let mut file = Pieces::default();
        for (_, span) in &self.around {
            file.keep(&self.bytes, *span);
        }
        let length: usize = graph.0.iter().map(|piece| piece.len()).sum();
        file.own(|file| {
            encode_key(GRAPH, WireType::LengthDelimited, file);
            encode_varint(length as u64, file);
        });
        file.0.extend(graph.0);
        file
    }

    /// `node`, which reads the given values in place of its own.
    fn redirected(&self, node: &Node, is_cut: &dyn Fn(&str) -> bool, graph: &mut Vec<u8>) {
        let mut body = Vec::new();
        for input in &node.inputs {
            let name = if is_cut(input) {
                given(input)
            } else {
                input.clone()
            };
            put(1, name.as_bytes(), &mut body);
        }
        // The fields were read before.
        for field in fields(&self.bytes, node.body, node.span.1).unwrap_or_default() {
            if field.tag != 1 {
                body.extend(&self.bytes[field.span.0..field.span.1]);
            }
        }
        put(NODE, &body, graph);
    }
}

/// A file in pieces: those of the file that it was cut of are not copied.
#[derive(Default)]
pub(super) struct Pieces<'a>(Vec<Cow<'a, [u8]>>);

impl<'a> Pieces<'a> {
    fn keep(&mut self, bytes: &'a [u8], span: Span) {
        self.0.push(Cow::Borrowed(&bytes[span.0..span.1]));
    }

    fn own(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let mut own = Vec::new();
        write(&mut own);
        self.0.push(Cow::Owned(own));
    }

    /// Writes the file `path`.
    pub fn write(&self, path: &Path) -> std::io::Result<()> {
        let mut file = BufWriter::new(std::fs::File::create(path)?);
        self.0.iter().try_for_each(|piece| file.write_all(piece))?;
        file.flush()
    }
}

impl Port {
    /// A `ValueInfoProto`.
    fn info(&self, name: &str) -> Vec<u8> {
        let code: u64 = match self.dtype {
            DType::F64 => 11,
            DType::F16 => 10,
            DType::BF16 => 16,
            DType::I64 => 7,
            DType::I32 => 6,
            DType::Bool(_) => 9,
            _ => 1,
        };
        let mut tensor = Vec::new();
        encode_key(1, WireType::Varint, &mut tensor);
        encode_varint(code, &mut tensor);
        if let Some(dims) = &self.dims {
            let mut shape = Vec::new();
            for size in dims {
                let mut dim = Vec::new();
                encode_key(1, WireType::Varint, &mut dim);
                encode_varint(*size as u64, &mut dim);
                put(1, &dim, &mut shape);
            }
            put(2, &shape, &mut tensor);
        }
        let (mut r#type, mut info) = (Vec::new(), Vec::new());
        put(1, &tensor, &mut r#type);
        put(1, name.as_bytes(), &mut info);
        put(2, &r#type, &mut info);
        info
    }
}

// Field numbers of onnx.proto.
const GRAPH: u32 = 7;
const NODE: u32 = 1;
const INITIALIZER: u32 = 5;
const INPUT: u32 = 11;
const OUTPUT: u32 = 12;
const VALUE_INFO: u32 = 13;

struct Field {
    tag: u32,
    span: Span,
    /// Where the content of a field of bytes starts.
    body: usize,
}

/// The fields of the message at `bytes[from..to]`.
fn fields(bytes: &[u8], from: usize, to: usize) -> Result<Vec<Field>, String> {
    let wrong = |e: prost::DecodeError| format!("not an ONNX file ({e})");
    let mut found = Vec::new();
    let mut at = from;
    while at < to {
        let start = at;
        let mut rest = &bytes[at..to];
        let (tag, kind) = decode_key(&mut rest).map_err(wrong)?;
        let length = match kind {
            WireType::Varint => {
                decode_varint(&mut rest).map_err(wrong)?;
                0
            }
            WireType::LengthDelimited => decode_varint(&mut rest).map_err(wrong)? as usize,
            WireType::SixtyFourBit => 8,
            WireType::ThirtyTwoBit => 4,
            WireType::StartGroup | WireType::EndGroup => {
                return Err("not an ONNX file (it has groups)".into());
            }
        };
        let body = to - rest.len();
        at = body
            .checked_add(length)
            .filter(|at| *at <= to)
            .ok_or("it ends early")?;
        let span = (start, at);
        found.push(Field { tag, span, body });
    }
    Ok(found)
}

/// A field of bytes.
fn put(tag: u32, content: &[u8], into: &mut Vec<u8>) {
    encode_key(tag, WireType::LengthDelimited, into);
    encode_varint(content.len() as u64, into);
    into.extend(content);
}

fn reads(attribute: &AttributeHead, found: &mut Vec<String>) {
    for node in attribute.g.iter().flat_map(|graph| &graph.node) {
        found.extend(node.input.iter().cloned());
        node.attribute.iter().for_each(|a| reads(a, found));
    }
}
