//! Two exchanges of axes in a row are one, or none.

use crate::graph::build::{Attr, Graph, Node, ValueId};

pub(super) fn rewrite(graph: &mut Graph) {
    let producers = graph.producers();
    let mut same: Vec<(ValueId, ValueId)> = Vec::new();
    // In order: what a node reads has been joined already.
    for index in 0..graph.nodes.len() {
        let joined = joined(graph, &producers, index);
        let Some((source, order)) = joined else {
            continue;
        };
        let mut axes = order.iter().enumerate();
        if axes.all(|(axis, from)| axis as i64 == *from) {
            same.push((graph.nodes[index].outputs[0], source));
        }
        let node = &mut graph.nodes[index];
        node.inputs = vec![Some(source)];
        node.attrs = vec![("perm", Attr::Ints(order))];
    }
    for (value, source) in same {
        if graph.outputs.contains(&value) {
            continue; // it has the output's name
        }
        let inputs = graph.nodes.iter_mut().flat_map(|node| &mut node.inputs);
        let reads = inputs.filter(|input| **input == Some(value));
        reads.for_each(|input| *input = Some(source));
    }
}

/// What a transposed transposition comes from, and the order of the axes between them.
fn joined(
    graph: &Graph,
    producers: &std::collections::BTreeMap<ValueId, usize>,
    index: usize,
) -> Option<(ValueId, Vec<i64>)> {
    let node = &graph.nodes[index];
    let outer = perm(node)?;
    let before = &graph.nodes[*producers.get(&node.inputs[0]?)?];
    let inner = perm(before)?;
    let order = outer.iter().map(|axis| inner[*axis as usize]).collect();
    Some((before.inputs[0]?, order))
}

fn perm(node: &Node) -> Option<&[i64]> {
    match (node.op, node.attrs.as_slice()) {
        ("Transpose", [("perm", Attr::Ints(perm))]) => Some(perm),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expr::Expr;
    use crate::graph::build::{DataType, Value};

    /// `x`, transposed by each order in turn; the last is the output.
    fn chain(orders: &[[i64; 3]]) -> Graph {
        let value = |index: usize| Value {
            name: format!("v{index}"),
            dtype: DataType::Float,
            shape: vec![Expr::constant(2); 3],
        };
        let node = |(index, order): (usize, &[i64; 3])| Node {
            op: "Transpose",
            name: format!("t{index}"),
            inputs: vec![Some(index)],
            outputs: vec![index + 1],
            attrs: vec![("perm", Attr::Ints(order.to_vec()))],
        };
        let mut nodes: Vec<Node> = orders.iter().enumerate().map(node).collect();
        let last = orders.len();
        nodes.push(Node {
            op: "Neg",
            name: "n".into(),
            inputs: vec![Some(last)],
            outputs: vec![last + 1],
            attrs: vec![],
        });
        Graph {
            values: (0..last + 2).map(value).collect(),
            nodes,
            inputs: vec![0],
            outputs: vec![last + 1],
            ..Graph::default()
        }
    }

    #[test]
    fn a_row_of_them_becomes_one() {
        let mut graph = chain(&[[1, 2, 0], [1, 0, 2], [0, 2, 1]]);
        rewrite(&mut graph);
        // [1, 2, 0] then [1, 0, 2] is [2, 1, 0], and then [0, 2, 1] is [2, 0, 1].
        assert_eq!(graph.nodes[2].inputs, [Some(0)]);
        let wanted = vec![("perm", Attr::Ints(vec![2, 0, 1]))];
        assert_eq!(graph.nodes[2].attrs, wanted);
    }

    #[test]
    fn there_and_back_twice_is_nothing() {
        let mut graph = chain(&[[1, 0, 2]; 4]);
        rewrite(&mut graph);
        assert_eq!(graph.nodes[4].inputs, [Some(0)]);
    }

    #[test]
    fn there_and_back_is_nothing() {
        let mut graph = chain(&[[1, 2, 0], [2, 0, 1]]);
        rewrite(&mut graph);
        assert_eq!(graph.nodes[2].inputs, [Some(0)]);
    }
}
