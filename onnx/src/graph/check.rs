//! What every written graph must hold, checked before it is given out.

use std::collections::HashSet;

use crate::error::{Error, Result};
use crate::graph::build::{Graph, Node, ValueId};

/// Names are unique, everything is made before it is read, and shapes fit the data.
pub(crate) fn check(graph: &Graph) -> Result<()> {
    let unsound = |text: String| Err(Error::Unsound(text));
    let mut known: HashSet<ValueId> = HashSet::new();
    let mut names: HashSet<&str> = HashSet::new();
    let mut nodes: HashSet<&str> = HashSet::new();
    let made = graph.all_nodes().flat_map(|node| {
        let inside = node.body().into_iter().flat_map(|body| &body.inputs);
        node.outputs.iter().chain(inside)
    });
    for id in graph
        .inputs
        .iter()
        .chain(graph.initializers.keys())
        .chain(made)
    {
        let name = graph.values[*id].name.as_str();
        if name.is_empty() || !names.insert(name) {
            return unsound(format!("the value name `{name}` is not unique"));
        }
    }
    known.extend(&graph.inputs);
    for (id, data) in &graph.initializers {
        let value = &graph.values[*id];
        let count: usize = data.dims.iter().product();
        let fits = value.dtype == data.dtype
            && value.shape.len() == data.dims.len()
            && value
                .shape
                .iter()
                .zip(&data.dims)
                .all(|(dim, size)| dim.is(*size as i64))
            && data.len() == count * data.dtype.size();
        if !fits {
            return unsound(format!(
                "the data of `{}` do not have its shape and type",
                value.name
            ));
        }
        known.insert(*id);
    }
    for node in graph.all_nodes() {
        if !nodes.insert(&node.name) {
            return unsound(format!("the node name `{}` is not unique", node.name));
        }
    }
    made_before_read(graph, &graph.nodes, &mut known)?;
    match graph.outputs.iter().find(|output| !known.contains(output)) {
        Some(output) => unsound(format!(
            "output `{}` is not made",
            graph.values[*output].name
        )),
        None => Ok(()),
    }
}

/// Adds what the nodes make to what is known before them.
fn made_before_read(graph: &Graph, nodes: &[Node], known: &mut HashSet<ValueId>) -> Result<()> {
    let early = |node: &str, value: ValueId| {
        let value = &graph.values[value].name;
        Error::Unsound(format!("`{node}` reads `{value}` before it is made"))
    };
    for node in nodes {
        let mut inputs = node.inputs.iter().flatten();
        if let Some(input) = inputs.find(|input| !known.contains(input)) {
            return Err(early(&node.name, *input));
        }
        if let Some(body) = node.body() {
            let mut inside = known.clone();
            inside.extend(&body.inputs);
            made_before_read(graph, &body.nodes, &mut inside)?;
            let mut outputs = body.outputs.iter();
            if let Some(output) = outputs.find(|output| !inside.contains(output)) {
                return Err(early(&node.name, *output));
            }
        }
        known.extend(&node.outputs);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::graph::build::{DataType, Value};

    #[test]
    fn reading_before_making_is_found() {
        let value = |name: &str| Value {
            name: name.into(),
            dtype: DataType::Float,
            shape: vec![],
        };
        let node = |name: &str, from, to| Node {
            op: "Neg",
            name: name.into(),
            inputs: vec![Some(from)],
            outputs: vec![to],
            attrs: vec![],
        };
        let mut graph = Graph {
            values: vec![value("x"), value("y"), value("z")],
            nodes: vec![node("a", 0, 1), node("b", 1, 2)],
            inputs: vec![0],
            outputs: vec![2],
            ..Graph::default()
        };
        check(&graph).unwrap();
        graph.nodes.swap(0, 1);
        assert!(matches!(check(&graph), Err(Error::Unsound(text)) if text.contains("`y`")));
    }
}
