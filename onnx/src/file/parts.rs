//! An ONNX file read part by part: what it says of its graph whole, the content of its weights not.

use prost::bytes::Buf;
use prost::encoding::{WireType, decode_key, decode_varint, encode_key, encode_varint};
use prost::{DecodeError, Message};

use super::proto::{NodeProto, StringStringEntryProto, TensorProto, ValueInfoProto, field};

/// A field with its key, from and to.
pub(super) type Span = (u64, u64);

/// A part of a file.
pub(super) enum Part {
    /// A node, and the bytes that say it.
    Node(NodeProto, Vec<u8>),
    /// A weight, without its content.
    Weight(TensorProto, Span),
    /// An input of the graph.
    Input(ValueInfoProto),
    /// An output of the graph.
    Output(ValueInfoProto),
    /// Any other field of the graph, but for what is said of values on the way.
    InGraph(Span),
    /// A free pair.
    Metadata(StringStringEntryProto, Span),
    /// Any other field of the file.
    Around(Span),
}

/// Hands the parts of the file `bytes` to `each`, in the file's order.
///
/// # Errors
/// When they are no ONNX file.
pub(super) fn parts(mut bytes: impl Buf, mut each: impl FnMut(Part)) -> Result<(), String> {
    let whole = bytes.remaining() as u64;
    let mut graph = false;
    while bytes.has_remaining() {
        let outer = Field::read(&mut bytes, whole).map_err(no_file)?;
        if outer.tag == field::GRAPH && !graph {
            graph = true;
            let after = bytes.remaining() as u64 - outer.length;
            while bytes.remaining() as u64 > after {
                let part = graph_part(&mut bytes, whole).map_err(no_file)?;
                part.into_iter().for_each(&mut each);
            }
            at(&bytes, after).map_err(no_file)?;
        } else if outer.tag == field::METADATA {
            let pair = message(&mut bytes, outer.length).map_err(no_file)?;
            each(Part::Metadata(pair, outer.span));
        } else {
            each(Part::Around(outer.span));
            bytes.advance(outer.length as usize);
        }
    }
    if graph {
        Ok(())
    } else {
        Err(no_file("it holds no graph"))
    }
}

fn no_file(reason: impl std::fmt::Display) -> String {
    format!("not an ONNX file ({reason})")
}

/// The next part of the graph, of a file of `whole` bytes.
fn graph_part(bytes: &mut impl Buf, whole: u64) -> Result<Option<Part>, String> {
    let Field {
        tag, span, length, ..
    } = Field::read(bytes, whole)?;
    Ok(Some(match tag {
        field::NODE => {
            let body = content(bytes, length)?;
            let node = NodeProto::decode(body.as_slice()).map_err(|e| e.to_string())?;
            Part::Node(node, body)
        }
        field::INITIALIZER => {
            let after = bytes.remaining() as u64 - length;
            Part::Weight(weight(bytes, after, whole)?, span)
        }
        field::INPUT => Part::Input(message(bytes, length)?),
        field::OUTPUT => Part::Output(message(bytes, length)?),
        tag => {
            bytes.advance(length as usize);
            if tag == field::VALUE_INFO {
                return Ok(None);
            }
            Part::InGraph(span)
        }
    }))
}

/// A weight up to where `after` bytes are left, without its content.
fn weight(bytes: &mut impl Buf, after: u64, whole: u64) -> Result<TensorProto, String> {
    let mut kept = Vec::new();
    while bytes.remaining() as u64 > after {
        let inner = Field::read(bytes, whole)?;
        if field::CONTENT.contains(&inner.tag) {
            bytes.advance(inner.length as usize);
            continue;
        }
        encode_key(inner.tag, inner.kind, &mut kept);
        match inner.kind {
            WireType::Varint => encode_varint(inner.value, &mut kept),
            WireType::LengthDelimited => encode_varint(inner.length, &mut kept),
            _ => {}
        }
        kept.extend(content(bytes, inner.length)?);
    }
    at(bytes, after)?;
    TensorProto::decode(kept.as_slice()).map_err(|e| e.to_string())
}

/// Whether `after` bytes are left: a field that says more than it holds has led further.
fn at(bytes: &impl Buf, after: u64) -> Result<(), &'static str> {
    if bytes.remaining() as u64 == after {
        Ok(())
    } else {
        Err(SHORT)
    }
}

/// The next `length` bytes as a message.
fn message<M: Message + Default>(bytes: &mut impl Buf, length: u64) -> Result<M, String> {
    M::decode(content(bytes, length)?.as_slice()).map_err(|e| e.to_string())
}

/// The next `length` bytes.
fn content(bytes: &mut impl Buf, length: u64) -> Result<Vec<u8>, &'static str> {
    let mut content = Vec::new();
    let mut left = length as usize;
    while left > 0 {
        let chunk = bytes.chunk();
        let taken = chunk.len().min(left);
        if taken == 0 {
            return Err(SHORT);
        }
        content.extend(&chunk[..taken]);
        bytes.advance(taken);
        left -= taken;
    }
    Ok(content)
}

const SHORT: &str = "it ends early";

/// A field's key, read to where its content starts.
pub(super) struct Field {
    pub(super) tag: u32,
    kind: WireType,
    /// The field with its key, whole numbers with their value.
    pub(super) span: Span,
    /// How many bytes of content follow.
    pub(super) length: u64,
    /// What a whole number is.
    value: u64,
}

impl Field {
    /// The field at which `bytes` are, of `whole` in all.
    pub(super) fn read(bytes: &mut impl Buf, whole: u64) -> Result<Self, String> {
        let wrong = |e: DecodeError| e.to_string();
        let start = whole - bytes.remaining() as u64;
        let (tag, kind) = decode_key(bytes).map_err(wrong)?;
        let (mut length, mut value) = (0, 0);
        match kind {
            WireType::Varint => value = decode_varint(bytes).map_err(wrong)?,
            WireType::LengthDelimited => length = decode_varint(bytes).map_err(wrong)?,
            WireType::SixtyFourBit => length = 8,
            WireType::ThirtyTwoBit => length = 4,
            WireType::StartGroup | WireType::EndGroup => return Err("it has groups".into()),
        }
        if length > bytes.remaining() as u64 {
            return Err(SHORT.into());
        }
        let span = (start, whole - bytes.remaining() as u64 + length);
        Ok(Self {
            tag,
            kind,
            span,
            length,
            value,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A one-layer decoder with a cache (`compare/tests/fixtures/generate.py`).
    const CACHED: &[u8] = include_bytes!("../../tests/fixtures/cached.onnx");

    #[test]
    fn a_file_cut_anywhere_is_a_shorter_one_or_an_error() {
        let count = |bytes: &[u8]| {
            let mut count = 0;
            parts(bytes, |_| count += 1).map(|()| count)
        };
        let whole = count(CACHED);
        assert!(whole.is_ok());
        for end in 0..CACHED.len() {
            match count(&CACHED[..end]) {
                Ok(found) => assert!(Ok(found) <= whole, "cut at {end}"),
                Err(error) => assert!(error.starts_with("not an ONNX file"), "{error}"),
            }
        }
    }

    #[test]
    fn a_weight_that_says_more_than_its_field_holds_is_an_error() {
        // A weight of two bytes whose name has four, with room for them behind it.
        let graph = [0x2a, 2, 0x42, 4, b'n', b'a', b'm', b'e'];
        let mut file = vec![0x3a, graph.len() as u8];
        file.extend(graph);
        let error = parts(file.as_slice(), |_| {}).err();
        let expected = "not an ONNX file (it ends early)";
        assert_eq!(error.as_deref(), Some(expected));
    }
}
