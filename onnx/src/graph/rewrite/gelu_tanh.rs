//! `x / 2 · (1 + tanh(√(2 / π) · (x + 0.044715 · x³)))` is `Gelu` by its tangent.

use super::pattern::{Search, pair, replace};
use crate::graph::build::{Attr, Attrs, Graph, Node, ValueId};

pub(super) fn rewrite(graph: &mut Graph) {
    replace(graph, "Mul", find);
}

fn find(search: &Search, node: &Node) -> Option<(&'static str, Vec<ValueId>, Attrs)> {
    let [a, b] = pair(node)?;
    // ½ · x · (1 + tanh): the half may stand with x, with the sum, or last.
    let halved = |value| search.beside(value, "Mul", 0.5);
    let orders = [[a, b], [b, a]].into_iter();
    let found = orders.clone().find_map(|[left, gate]| {
        let x = halved(left)?;
        (tangent(search, gate)? == x).then_some(x)
    });
    let found = found.or_else(|| {
        orders.clone().find_map(|[x, gate]| {
            let gate = halved(gate)?;
            (tangent(search, gate)? == x).then_some(x)
        })
    });
    let found = found.or_else(|| {
        orders.clone().find_map(|[product, half]| {
            (search.number(half)? == 0.5).then_some(())?;
            search
                .either(product, "Mul")
                .find_map(|[x, gate]| (tangent(search, gate)? == x).then_some(x))
        })
    })?;
    let attrs = vec![("approximate", Attr::Text("tanh"))];
    Some(("Gelu", vec![found], attrs))
}

/// The `x` of `1 + tanh(√(2 / π) · (x + 0.044715 · x³))`.
fn tangent(search: &Search, value: ValueId) -> Option<ValueId> {
    let tanh = search.beside(value, "Add", 1.0)?;
    let inner = search.one(tanh, "Tanh")?;
    let sum = search.beside(inner, "Mul", (2.0 / std::f64::consts::PI).sqrt())?;
    search.either(sum, "Add").find_map(|[x, cubic]| {
        let cube = search.beside(cubic, "Mul", 0.044715)?;
        let is_cube = search
            .either(cube, "Mul")
            .any(|[square, other]| other == x && search.pair(square, "Mul") == Some([x, x]));
        is_cube.then_some(x)
    })
}
