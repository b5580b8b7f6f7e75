//! The parts of a graph as protobuf's messages.

use crate::graph::{Attr, Data, Graph, Value};
use crate::proto::{
    AttributeProto, DimensionProto, StringStringEntryProto, TensorProto, TensorShapeProto,
    TensorTypeProto, TypeProto, ValueInfoProto, attribute_type,
};

/// A pair of texts.
pub(crate) fn entry(key: &str, value: &str) -> StringStringEntryProto {
    StringStringEntryProto {
        key: key.into(),
        value: value.into(),
    }
}

/// An initializer without its content.
pub(crate) fn tensor(name: String, data: &Data) -> TensorProto {
    TensorProto {
        dims: data.dims.iter().map(|dim| *dim as i64).collect(),
        data_type: data.dtype as i32,
        name,
        ..TensorProto::default()
    }
}

/// An initializer whose content stands in another file.
pub(crate) fn outside(name: String, data: &Data, file: &str, offset: usize) -> TensorProto {
    TensorProto {
        data_location: Some(1),
        external_data: vec![
            entry("location", file),
            entry("offset", &offset.to_string()),
            entry("length", &data.len().to_string()),
        ],
        ..tensor(name, data)
    }
}

/// An attribute of a node.
pub(crate) fn attribute(name: &str, attr: &Attr) -> AttributeProto {
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

/// A value with its type and shape.
pub(crate) fn value_info(graph: &Graph, value: &Value) -> ValueInfoProto {
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
