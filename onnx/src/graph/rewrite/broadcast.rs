//! A reshape that only puts axes of length one in front, or an expansion, is not needed before an
//! operator that broadcasts anyway.

use crate::expr::Expr;
use crate::graph::build::{Graph, ValueId, broadcast};

/// Operators that bring their inputs to a common shape themselves.
const BROADCASTING: [&str; 14] = [
    "Add",
    "Sub",
    "Mul",
    "Div",
    "Where",
    "And",
    "Or",
    "Xor",
    "Less",
    "LessOrEqual",
    "Greater",
    "GreaterOrEqual",
    "Equal",
    "Max",
];

pub(super) fn rewrite(graph: &mut Graph) {
    let producers = graph.producers();
    for index in 0..graph.nodes.len() {
        if !BROADCASTING.contains(&graph.nodes[index].op) {
            continue;
        }
        for slot in 0..graph.nodes[index].inputs.len() {
            while let Some(shorter) = source(graph, &producers, index, slot) {
                let mut inputs = graph.nodes[index].inputs.clone();
                inputs[slot] = Some(shorter);
                let out = &graph.values[graph.nodes[index].outputs[0]].shape;
                if shape(graph, &inputs).as_ref() != Some(out) || !carried(graph, &inputs, out) {
                    break;
                }
                graph.nodes[index].inputs = inputs;
            }
        }
    }
}

/// What the input was before it was brought to a larger shape, if that is all that happened to it.
fn source(
    graph: &Graph,
    producers: &std::collections::BTreeMap<ValueId, usize>,
    node: usize,
    slot: usize,
) -> Option<ValueId> {
    let input = graph.nodes[node].inputs[slot]?;
    let maker = &graph.nodes[*producers.get(&input)?];
    let before = maker.inputs.first().copied().flatten()?;
    let (old, new) = (&graph.values[before].shape, &graph.values[input].shape);
    let leading_ones = new.len() > old.len()
        && new.ends_with(old)
        && new[..new.len() - old.len()].iter().all(|dim| dim.is(1));
    match maker.op {
        "Expand" => Some(before),
        "Reshape" if leading_ones => Some(before),
        _ => None,
    }
}

/// Whether an input of all the result's axes is more than one element: rten 0.27 takes `[4]` with
/// `[1, 1]` for `[4]`.
fn carried(graph: &Graph, inputs: &[Option<ValueId>], out: &[Expr]) -> bool {
    let mut shapes = inputs
        .iter()
        .flatten()
        .map(|input| &graph.values[*input].shape);
    shapes.any(|own| own.len() == out.len() && !own.iter().all(|dim| dim.is(1)))
        || out.iter().all(|dim| dim.is(1))
}

fn shape(graph: &Graph, inputs: &[Option<ValueId>]) -> Option<Vec<Expr>> {
    inputs
        .iter()
        .flatten()
        .try_fold(Vec::new(), |shape, input| {
            broadcast(&shape, &graph.values[*input].shape)
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::build::{DataType, Node, Value};

    /// `x [n, 4] + expand(b [4] → [1, 4] → [n, 4])`, or with `x` a row that needs the expansion.
    fn graph(x_rows: Expr) -> Graph {
        let (n, one, four) = (Expr::size(0), Expr::constant(1), Expr::constant(4));
        let value = |name: &str, shape: Vec<Expr>| Value {
            name: name.into(),
            dtype: DataType::Float,
            shape,
        };
        let node = |op, inputs: &[ValueId], output| Node {
            op,
            name: output_name(output),
            inputs: inputs.iter().copied().map(Some).collect(),
            outputs: vec![output],
            attrs: vec![],
        };
        Graph {
            values: vec![
                value("x", vec![x_rows, four.clone()]),
                value("b", vec![four.clone()]),
                value("row", vec![one, four.clone()]),
                value("full", vec![n.clone(), four.clone()]),
                value("sum", vec![n, four]),
            ],
            nodes: vec![
                node("Reshape", &[1], 2),
                node("Expand", &[2], 3),
                node("Add", &[0, 3], 4),
            ],
            inputs: vec![0, 1],
            outputs: vec![4],
            ..Graph::default()
        }
    }

    fn output_name(output: ValueId) -> String {
        format!("node {output}")
    }

    #[test]
    fn a_sum_takes_the_vector_itself() {
        let mut graph = graph(Expr::size(0));
        rewrite(&mut graph);
        assert_eq!(graph.nodes[2].inputs, [Some(0), Some(1)]);
    }

    #[test]
    fn an_expansion_that_makes_the_shape_stays() {
        let mut graph = graph(Expr::constant(1));
        rewrite(&mut graph);
        assert_eq!(graph.nodes[2].inputs, [Some(0), Some(3)]);
    }
}
