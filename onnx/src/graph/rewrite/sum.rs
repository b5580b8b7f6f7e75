//! Additions in a row are one `Sum`.

use std::collections::HashMap;

use super::pattern::{Search, pair};
use crate::graph::build::{DataType, Graph, Node, ValueId};

/// Joins `(a + b) + c` where the three are rows of tables, as embeddings are; with `biased` also
/// where one of the three is a bias. ONNX Runtime joins a last addition with the norm behind it
/// to an operator that takes six times as long on CPUs: `Sum` it leaves alone.
pub(super) fn rewrite(graph: &mut Graph, biased: bool) {
    let search = Search::new(graph);
    let mut uses: HashMap<ValueId, usize> = HashMap::new();
    let read = graph.nodes.iter().flat_map(|node| &node.inputs).flatten();
    for value in read.chain(&graph.outputs) {
        *uses.entry(*value).or_default() += 1;
    }
    let joined = |node: &Node| {
        let [a, b] = pair(node)?;
        let mut orders = [[a, b], [b, a]].into_iter();
        orders.find_map(|[inner, last]| {
            let [x, y] = search.pair(inner, "Add").filter(|_| uses[&inner] == 1)?;
            let terms = [x, y, last];
            let rows = terms
                .iter()
                .all(|term| search.made_by(*term, "Gather").is_some());
            let bias = [x, y].iter().any(|term| is_bias(graph, *term));
            (rows || (biased && bias && !is_bias(graph, last))).then_some(terms)
        })
    };
    let adds = graph.nodes.iter().enumerate();
    let adds = adds.filter(|(_, node)| node.op == "Add");
    // Other float types have no `Sum` everywhere.
    let adds = adds.filter(|(_, node)| graph.values[node.outputs[0]].dtype == DataType::Float);
    let found: Vec<_> = adds
        .filter_map(|(at, node)| Some((at, joined(node)?)))
        .collect();
    for (at, terms) in found {
        let node = &mut graph.nodes[at];
        node.name = match node.name.rsplit_once('/') {
            Some((module, last)) => format!("{module}/{}", last.replacen("Add", "Sum", 1)),
            None => node.name.replacen("Add", "Sum", 1),
        };
        node.op = "Sum";
        node.inputs = terms.map(Some).to_vec();
    }
}

/// Whether a value is a vector that the file stores.
fn is_bias(graph: &Graph, value: ValueId) -> bool {
    graph.initializers.contains_key(&value) && graph.values[value].shape.len() == 1
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::expr::Expr;
    use crate::graph::build::{Data, Value};

    /// `(x + bias) + rest`, and what reads the inner sum beside.
    fn graph(read_beside: bool) -> Graph {
        let value = |name: &str, shape: Vec<Expr>| Value {
            name: name.into(),
            dtype: DataType::Float,
            shape,
        };
        let full = vec![Expr::size(0), Expr::constant(1)];
        let node = |a, b, to: ValueId| Node {
            op: "Add",
            name: format!("layer/Add_{to}"),
            inputs: vec![Some(a), Some(b)],
            outputs: vec![to],
            attrs: vec![],
        };
        Graph {
            values: vec![
                value("x", full.clone()),
                value("bias", vec![Expr::constant(1)]),
                value("inner", full.clone()),
                value("rest", full.clone()),
                value("out", full),
            ],
            nodes: vec![node(0, 1, 2), node(3, 2, 4)],
            inputs: vec![0, 3],
            outputs: if read_beside { vec![4, 2] } else { vec![4] },
            initializers: [(1, Data::scalar(DataType::Float, 1.0))].into(),
            ..Graph::default()
        }
    }

    #[test]
    fn a_biased_residual_is_one_sum() {
        let mut graph = graph(false);
        rewrite(&mut graph, true);
        let last = graph.nodes.last().unwrap();
        assert_eq!((last.op, last.name.as_str()), ("Sum", "layer/Sum_4"));
        assert_eq!(last.inputs, [Some(0), Some(1), Some(3)]);
    }

    #[test]
    fn what_is_read_elsewhere_stays() {
        let mut graph = graph(true);
        rewrite(&mut graph, true);
        assert!(graph.nodes.iter().all(|node| node.op == "Add"));
    }

    #[test]
    fn biases_stay_where_they_are_not_asked_for() {
        let mut graph = graph(false);
        rewrite(&mut graph, false);
        assert!(graph.nodes.iter().all(|node| node.op == "Add"));
    }
}
