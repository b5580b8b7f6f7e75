//! A model as the bytes of its file, written without a second copy of the weights: the graph is
//! encoded without them, and each follows as one more field of it. Protobuf's fields may stand in
//! any order.

use std::io::{self, Write};

use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint};

use crate::file::proto::{GraphProto, ModelProto, TensorProto, field};
use crate::graph::data::Data;

/// A file, all but the content of its weights.
pub(crate) struct Stream<'a> {
    /// The model's fields without the graph, then the graph's key and length and its other fields.
    head: Vec<u8>,
    /// Every weight: what goes before its content, and the content where it stands in this file.
    weights: Vec<(Vec<u8>, Option<&'a Data>)>,
}

impl<'a> Stream<'a> {
    /// The file of `model` with `graph` and `weights`; those without data stand elsewhere.
    pub fn new(
        model: &ModelProto,
        graph: &GraphProto,
        weights: impl Iterator<Item = (TensorProto, Option<&'a Data>)>,
    ) -> Self {
        let weights: Vec<_> = weights
            .map(|(tensor, data)| (before(&tensor, data), data))
            .collect();
        let length = graph.encoded_len() + weights.iter().map(total).sum::<usize>();
        let mut head = model.encode_to_vec();
        open(&mut head, field::GRAPH, length);
        graph.encode_raw(&mut head);
        Self { head, weights }
    }

    /// The file's length.
    pub fn len(&self) -> usize {
        self.head.len() + self.weights.iter().map(total).sum::<usize>()
    }

    /// Writes the file, a weight at a time.
    ///
    /// # Errors
    /// If `to` refuses.
    pub fn write(&self, to: &mut impl Write) -> io::Result<()> {
        to.write_all(&self.head)?;
        for (before, data) in &self.weights {
            to.write_all(before)?;
            if let Some(data) = data {
                to.write_all(&data.bytes())?;
            }
        }
        Ok(())
    }
}

/// A length-delimited field, up to its content.
fn open(buffer: &mut Vec<u8>, tag: u32, length: usize) {
    encode_key(tag, WireType::LengthDelimited, buffer);
    encode_varint(length as u64, buffer);
}

/// An initializer's field up to its content, if that stands in this file.
fn before(tensor: &TensorProto, data: Option<&Data>) -> Vec<u8> {
    let mut inner = tensor.encode_to_vec();
    let content = data.map_or(0, Data::len);
    if data.is_some() {
        open(&mut inner, field::RAW_DATA, content);
    }
    let mut field = Vec::new();
    open(&mut field, field::INITIALIZER, inner.len() + content);
    field.extend(inner);
    field
}

fn total((before, data): &(Vec<u8>, Option<&Data>)) -> usize {
    before.len() + data.map_or(0, Data::len)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::graph::build::DataType;

    #[test]
    fn a_stream_is_what_protobuf_would_write() {
        let data = Data::scalar(DataType::Float, 1.5);
        let tensor = |raw_data| TensorProto {
            data_type: 1,
            name: "w".into(),
            raw_data,
            ..TensorProto::default()
        };
        let graph = GraphProto {
            name: "g".into(),
            ..GraphProto::default()
        };
        let model = ModelProto {
            ir_version: 8,
            ..ModelProto::default()
        };
        let stream = Stream::new(&model, &graph, [(tensor(None), Some(&data))].into_iter());
        let mut written = Vec::new();
        stream.write(&mut written).unwrap();
        assert_eq!(written.len(), stream.len());
        let read = ModelProto::decode(written.as_slice()).unwrap();
        let mut whole = graph;
        whole.initializer = vec![tensor(Some(data.bytes().to_vec()))];
        assert_eq!(read.ir_version, 8);
        assert_eq!(read.graph, Some(whole));
    }
}
