//! What no output depends on goes.

use std::collections::HashSet;

use crate::graph::build::{Graph, ValueId};

pub(super) fn rewrite(graph: &mut Graph) {
    let mut wanted: HashSet<ValueId> = graph.outputs.iter().copied().collect();
    wanted.extend(graph.turns.iter().filter_map(|turn| turn.trips));
    for node in graph.nodes.iter().rev() {
        if node.outputs.iter().any(|output| wanted.contains(output)) {
            wanted.extend(node.inputs.iter().flatten());
        }
    }
    graph
        .nodes
        .retain(|node| node.outputs.iter().any(|output| wanted.contains(output)));
    graph.initializers.retain(|id, _| wanted.contains(id));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::build::{Data, DataType, Node, Value};

    #[test]
    fn nodes_and_weights_that_nothing_reads_go() {
        let value = |name: &str| Value {
            name: name.into(),
            dtype: DataType::Float,
            shape: vec![],
        };
        let node = |from, to| Node {
            op: "Neg",
            name: format!("node {to}"),
            inputs: vec![Some(from)],
            outputs: vec![to],
            attrs: vec![],
        };
        let mut graph = Graph {
            values: vec![value("x"), value("w"), value("dead"), value("y")],
            nodes: vec![node(1, 2), node(0, 3)],
            inputs: vec![0],
            outputs: vec![3],
            ..Graph::default()
        };
        graph
            .initializers
            .insert(1, Data::scalar(DataType::Float, 1.0));
        rewrite(&mut graph);
        assert_eq!(graph.nodes.len(), 1);
        assert!(graph.initializers.is_empty());
    }
}
