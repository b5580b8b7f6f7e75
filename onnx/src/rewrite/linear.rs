//! `Reshape → MatMul → Reshape` around a weight becomes one MatMul.
//!
//! Burn folds the leading axes of a linear layer's input into rows; ONNX's MatMul takes them as
//! they are, so neither reshape is needed, nor are the sizes that they name.

use crate::graph::{Graph, ValueId};

pub(super) fn rewrite(graph: &mut Graph) {
    let producers = graph.producers();
    let uses = graph.uses();
    for index in 0..graph.nodes.len() {
        // [rows, d_out] -> [.., d_out]
        if graph.nodes[index].op != "Reshape" {
            continue;
        }
        let Some(product) = graph.nodes[index].inputs[0] else { continue };
        let Some(matmul) = producers.get(&product).map(|at| &graph.nodes[*at]) else { continue };
        let (Some(Some(rows)), Some(Some(weight))) = (matmul.inputs.first(), matmul.inputs.get(1))
        else {
            continue;
        };
        if matmul.op != "MatMul" || uses[product] != 1 || rank(graph, *weight) != 2 {
            continue;
        }
        // [.., d_in] -> [rows, d_in]
        let Some(fold) = producers.get(rows).map(|at| &graph.nodes[*at]) else { continue };
        let Some(Some(x)) = fold.inputs.first().copied() else { continue };
        if fold.op != "Reshape" {
            continue;
        }
        let out = graph.nodes[index].outputs[0];
        let (from, to) = (&graph.values[x].shape, &graph.values[out].shape);
        let (Some((d_in, lead_in)), Some((_, lead_out))) = (from.split_last(), to.split_last())
        else {
            continue;
        };
        let d_out = &graph.values[*weight].shape[1];
        if lead_in != lead_out
            || *d_in != graph.values[*weight].shape[0]
            || to.last() != Some(d_out)
            || from.len() < 2
        {
            continue;
        }
        let (name, weight) = (matmul.name.clone(), *weight);
        let old = producers[&product];
        let unfolded = graph.nodes[index].name.clone();
        let node = &mut graph.nodes[index];
        node.op = "MatMul";
        node.inputs = vec![Some(x), Some(weight)];
        node.attrs.clear();
        node.name = name;
        // The old product is dead now; it keeps a name until it is removed.
        graph.nodes[old].name = unfolded;
        if !graph.outputs.contains(&out) {
            let (a, b) = (graph.values[out].name.clone(), graph.values[product].name.clone());
            graph.values[out].name = b;
            graph.values[product].name = a;
        }
    }
}

fn rank(graph: &Graph, value: ValueId) -> usize {
    graph.values[value].shape.len()
}
