//! What no output depends on goes.

use std::collections::HashSet;

use crate::graph::{Graph, ValueId};

pub(super) fn rewrite(graph: &mut Graph) {
    let mut wanted: HashSet<ValueId> = graph.outputs.iter().copied().collect();
    for node in graph.nodes.iter().rev() {
        if node.outputs.iter().any(|output| wanted.contains(output)) {
            wanted.extend(node.inputs.iter().flatten());
        }
    }
    graph.nodes.retain(|node| node.outputs.iter().any(|output| wanted.contains(output)));
    graph.initializers.retain(|id, _| wanted.contains(id));
}
