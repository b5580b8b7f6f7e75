//! What is written of a file that is cut.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufWriter, Write};
use std::path::Path;

use burn::tensor::DType;
use prost::Message;
use prost::bytes::Buf;
use prost::encoding::{WireType, encode_key, encode_varint};

use super::graph_file::{GraphFile, Node};
use super::parts::{Field, Span};
use super::proto::{
    DimensionProto, TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto, field,
};
use super::streamed::copy;

/// A value that comes in, or goes out: its name, element type and, where known, sizes.
pub struct CutPort {
    /// Its name.
    pub name: String,
    /// Its element type.
    pub dtype: DType,
    /// Its sizes, where they are known.
    pub dims: Option<Vec<usize>>,
}

/// What a value that comes in from outside is called.
pub fn given(value: &str) -> String {
    format!("given/{value}")
}

impl GraphFile {
    /// The values that lead to `output`, itself among them, of those in `values`, up to `cuts`.
    pub fn between<'a>(&self, cuts: &[&str], output: &str, values: &[&'a str]) -> Vec<&'a str> {
        let (_, kept) = self.needed(&|value| cuts.contains(&value), vec![output]);
        let written: BTreeSet<&str> = kept
            .iter()
            .flat_map(|node| self.nodes[*node].outputs.iter().map(String::as_str))
            .collect();
        let values = values.iter().copied();
        values.filter(|value| written.contains(value)).collect()
    }

    /// What leads to `open`: the values, and the nodes that write them. What is cut leads nowhere.
    fn needed<'a>(
        &'a self,
        is_cut: &dyn Fn(&str) -> bool,
        mut open: Vec<&'a str>,
    ) -> (BTreeSet<&'a str>, BTreeSet<usize>) {
        let (mut needed, mut kept) = (BTreeSet::new(), BTreeSet::new());
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
        (needed, kept)
    }

    /// The file of what `outputs` need. What reads one of `cuts` reads the input
    /// [`given`] of it instead; `inputs` are the file's own, of which those that are needed stay.
    pub fn cut(&self, cuts: &[CutPort], outputs: &[CutPort], inputs: &[CutPort]) -> Pieces {
        let is_cut = |value: &str| cuts.iter().any(|cut| cut.name == value);
        let names = outputs.iter().map(|port| port.name.as_str()).collect();
        let (needed, kept) = self.needed(&is_cut, names);
        let mut graph = Pieces(Vec::new());
        for (i, node) in self.nodes.iter().enumerate() {
            if kept.contains(&i) {
                if node.inputs.iter().any(|input| is_cut(input)) {
                    graph.own(|graph| self.redirected(node, &is_cut, graph))
                } else {
                    graph.own(|graph| put(field::NODE, &node.body, graph))
                }
            }
        }
        for (name, (span, _)) in &self.initializers {
            if needed.contains(name.as_str()) {
                graph.0.push(Piece::Kept(*span));
            }
        }
        for span in &self.rest {
            graph.0.push(Piece::Kept(*span));
        }
        let read: BTreeSet<&str> = kept
            .iter()
            .flat_map(|i| self.nodes[*i].inputs.iter().map(String::as_str))
            .collect();
        for cut in cuts.iter().filter(|cut| read.contains(cut.name.as_str())) {
            graph.own(|graph| put(field::INPUT, &cut.info(&given(&cut.name)), graph));
        }
        for input in inputs
            .iter()
            .filter(|input| needed.contains(input.name.as_str()))
        {
            graph.own(|graph| put(field::INPUT, &input.info(&input.name), graph));
        }
        for output in outputs {
            graph.own(|graph| put(field::OUTPUT, &output.info(&output.name), graph));
        }
        let mut file = Pieces(Vec::new());
        for span in &self.around {
            file.0.push(Piece::Kept(*span));
        }
        let length: u64 = graph.0.iter().map(Piece::length).sum();
        file.own(|file| {
            encode_key(field::GRAPH, WireType::LengthDelimited, file);
            encode_varint(length, file);
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
            put(field::READ, name.as_bytes(), &mut body);
        }
        // The fields were read before.
        let (mut rest, whole) = (node.body.as_slice(), node.body.len() as u64);
        while let Some(own) = (!rest.is_empty())
            .then(|| Field::read(&mut rest, whole).ok())
            .flatten()
        {
            rest.advance(own.length as usize);
            if own.tag != field::READ {
                body.extend(&node.body[own.span.0 as usize..own.span.1 as usize]);
            }
        }
        put(field::NODE, &body, graph);
    }
}

/// A file in pieces.
pub struct Pieces(Vec<Piece>);

enum Piece {
    /// As the file has it that it was cut of.
    Kept(Span),
    /// Made here.
    Own(Vec<u8>),
}

impl Piece {
    fn length(&self) -> u64 {
        match self {
            Self::Kept((from, to)) => to - from,
            Self::Own(bytes) => bytes.len() as u64,
        }
    }
}

impl Pieces {
    fn own(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let mut own = Vec::new();
        write(&mut own);
        self.0.push(Piece::Own(own));
    }

    /// Writes the file `path`, what was kept from `file`.
    pub fn write(&self, file: &GraphFile, path: &Path) -> std::io::Result<()> {
        let mut whole = std::fs::File::open(&file.path)?;
        let mut written = BufWriter::new(std::fs::File::create(path)?);
        for piece in &self.0 {
            match piece {
                Piece::Kept((from, to)) => copy(&mut whole, *from, *to, &mut written)?,
                Piece::Own(bytes) => written.write_all(bytes)?,
            }
        }
        written.flush()
    }
}

impl CutPort {
    /// A `ValueInfoProto`.
    fn info(&self, name: &str) -> Vec<u8> {
        let code = match self.dtype {
            DType::F64 => 11,
            DType::F16 => 10,
            DType::BF16 => 16,
            DType::I64 => 7,
            DType::I32 => 6,
            DType::Bool(_) => 9,
            _ => 1,
        };
        let dim = |size: &usize| DimensionProto {
            dim_value: Some(*size as i64),
            dim_param: None,
        };
        let shape = self.dims.as_ref().map(|dims| TensorShapeProto {
            dim: dims.iter().map(dim).collect(),
        });
        let info = ValueInfoProto {
            name: name.into(),
            r#type: Some(TypeProto {
                tensor_type: Some(TensorTypeProto {
                    elem_type: code,
                    shape,
                }),
            }),
        };
        info.encode_to_vec()
    }
}

/// A field of bytes.
fn put(tag: u32, content: &[u8], into: &mut Vec<u8>) {
    encode_key(tag, WireType::LengthDelimited, into);
    encode_varint(content.len() as u64, into);
    into.extend(content);
}
