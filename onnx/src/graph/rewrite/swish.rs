//! `x · sigmoid(x)` and `x · sigmoid(alpha · x)` are `Swish`.

use super::pattern::{Search, pair, replace};
use crate::graph::build::{Attr, Attrs, Graph, Node, ValueId};

pub(super) fn rewrite(graph: &mut Graph) {
    replace(graph, "Mul", find);
}

fn find(search: &Search, node: &Node) -> Option<(&'static str, Vec<ValueId>, Attrs)> {
    let [a, b] = pair(node)?;
    [[a, b], [b, a]].into_iter().find_map(|[x, gate]| {
        let inner = search.one(gate, "Sigmoid")?;
        let alpha = if inner == x {
            1.0
        } else {
            search
                .either(inner, "Mul")
                .find_map(|[other, factor]| (other == x).then(|| search.number(factor)).flatten())?
        };
        let attrs = if alpha == 1.0 {
            vec![]
        } else {
            vec![("alpha", Attr::Float(alpha as f32))]
        };
        Some(("Swish", vec![x], attrs))
    })
}
