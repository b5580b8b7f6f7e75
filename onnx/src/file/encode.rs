//! The parts of a graph as protobuf's messages.

use crate::file::proto::{
    AttributeProto, DimensionProto, GraphProto, NodeProto, StringStringEntryProto, TensorProto,
    TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto, attribute_type,
};
use crate::graph::build::{Attr, Body, Data, Graph, Node, Value, ValueId};

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
fn attribute(graph: &Graph, name: &str, attr: &Attr) -> AttributeProto {
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
        Attr::Body(inside) => {
            proto.g = Some(body(graph, inside));
            proto.r#type = attribute_type::GRAPH;
        }
    }
    proto
}

/// A node.
pub(crate) fn node(graph: &Graph, node: &Node) -> NodeProto {
    let name = |id: &ValueId| graph.values[*id].name.clone();
    let inputs = node.inputs.iter();
    let attrs = node.attrs.iter();
    NodeProto {
        input: inputs
            .map(|input| input.as_ref().map(name).unwrap_or_default())
            .collect(),
        output: node.outputs.iter().map(name).collect(),
        name: node.name.clone(),
        op_type: node.op.to_string(),
        attribute: attrs
            .map(|(name, attr)| attribute(graph, name, attr))
            .collect(),
    }
}

/// The graph inside a node. Its values have no named sizes: tract would take a size that a run has
/// set outside for another than the one of that name inside.
fn body(graph: &Graph, body: &Body) -> GraphProto {
    let info = |id: &ValueId| {
        let mut info = value_info(graph, &graph.values[*id]);
        let shape = info.r#type.iter_mut().flat_map(|ty| &mut ty.tensor_type);
        let dims = shape
            .flat_map(|ty| &mut ty.shape)
            .flat_map(|shape| &mut shape.dim);
        dims.for_each(|dim| dim.dim_param = None);
        info
    };
    let made = body.nodes.iter().flat_map(|node| &node.outputs);
    let inner = made.filter(|id| !body.outputs.contains(id));
    GraphProto {
        node: body
            .nodes
            .iter()
            .map(|inside| node(graph, inside))
            .collect(),
        name: body.name.clone(),
        input: body.inputs.iter().map(info).collect(),
        output: body.outputs.iter().map(info).collect(),
        value_info: inner.map(info).collect(),
        ..GraphProto::default()
    }
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
