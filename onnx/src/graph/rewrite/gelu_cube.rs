//! `0.044715 · (x · x · x)`, the inside of `Gelu` by its tangent, with the cube as a power: the
//! published form, which ONNX Runtime and others know as a whole and run as one.

use super::pattern::{Search, pair, replace};
use crate::graph::build::{Data, DataType, Graph, Node, Value, ValueId};

pub(super) fn rewrite(graph: &mut Graph) {
    let cubes = cubes(&Search::new(graph));
    if cubes.is_empty() {
        return;
    }
    graph.values.push(Value {
        name: "cube_exponent".into(),
        dtype: DataType::Float,
        shape: Vec::new(),
    });
    let three = graph.values.len() - 1;
    let data = Data::scalar(DataType::Float, 3.0);
    graph.initializers.insert(three, data);
    replace(graph, "Mul", |search, node| {
        let wanted = cubes.contains(&node.outputs[0]);
        let x = wanted.then(|| cube(search, node)).flatten()?;
        Some(("Pow", vec![x, three], vec![]))
    });
}

/// The cubes that are multiplied by Gelu's factor.
fn cubes(search: &Search) -> Vec<ValueId> {
    let graph = search.graph();
    let scaled = graph.nodes.iter().filter(|node| node.op == "Mul");
    let inner = scaled.filter_map(|node| search.beside(node.outputs[0], "Mul", 0.044715));
    inner
        .filter(|value| graph.values[*value].dtype == DataType::Float)
        .filter(|value| {
            let node = search.made_by(*value, "Mul");
            node.is_some_and(|node| cube(search, node).is_some())
        })
        .collect()
}

/// The `x` of `x · x · x`.
fn cube(search: &Search, node: &Node) -> Option<ValueId> {
    let [a, b] = pair(node)?;
    let orders = [[a, b], [b, a]].into_iter();
    let mut found = orders.filter(|[square, x]| search.pair(*square, "Mul") == Some([*x, *x]));
    found.next().map(|[_, x]| x)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// `factor · x³` and, beside it, the square.
    fn graph(factor: f64) -> Graph {
        let value = |name: &str| Value {
            name: name.into(),
            dtype: DataType::Float,
            shape: vec![],
        };
        let names = ["x", "square", "cube", "factor", "out"];
        let node = |a, b, to: ValueId| Node {
            op: "Mul",
            name: format!("Mul_{to}"),
            inputs: vec![Some(a), Some(b)],
            outputs: vec![to],
            attrs: vec![],
        };
        let factor = Data::scalar(DataType::Float, factor);
        Graph {
            values: names.map(value).to_vec(),
            nodes: vec![node(0, 0, 1), node(1, 0, 2), node(2, 3, 4)],
            inputs: vec![0],
            outputs: vec![4],
            initializers: [(3, factor)].into(),
            ..Graph::default()
        }
    }

    #[test]
    fn the_cube_becomes_a_power() {
        let mut graph = graph(0.044715);
        rewrite(&mut graph);
        assert_eq!(graph.nodes[1].op, "Pow");
        assert_eq!(graph.nodes[1].inputs, [Some(0), Some(5)]);
        assert_eq!(graph.initializers[&5].as_number(), Some(3.0));
    }

    #[test]
    fn other_cubes_stay() {
        let mut graph = graph(0.5);
        rewrite(&mut graph);
        assert!(graph.nodes.iter().all(|node| node.op == "Mul"));
        assert_eq!(graph.values.len(), 5);
    }
}
