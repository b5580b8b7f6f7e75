//! Two halves of every head turned by an angle, and joined again, are `RotaryEmbedding`.

use super::pattern::{Search, int, pair};
use crate::graph::build::{Data, Graph, Node, Value, ValueId};

/// A rotation: of what, by which tables, and where it ends.
struct Found {
    end: usize,
    x: ValueId,
    cos: ValueId,
    sin: ValueId,
}

pub(super) fn rewrite(graph: &mut Graph) {
    let search = Search::new(graph);
    let ends = graph.nodes.iter().enumerate();
    let found: Vec<Found> = ends
        .filter_map(|(end, node)| find(&search, end, node))
        .collect();
    let mut tables: Vec<(ValueId, ValueId)> = Vec::new();
    let mut inserted: Vec<(usize, Node)> = Vec::new();
    for Found { end, x, cos, sin } in found {
        let mut inputs = vec![Some(x)];
        for table in [cos, sin] {
            let known = tables.iter().find(|(from, _)| *from == table);
            let flat = match known {
                Some((_, flat)) => *flat,
                None => {
                    let (flat, node) = flattened(graph, table);
                    inserted.push((end, node));
                    tables.push((table, flat));
                    flat
                }
            };
            inputs.push(Some(flat));
        }
        let node = &mut graph.nodes[end];
        node.name = node.name.replacen("Concat", "RotaryEmbedding", 1);
        node.op = "RotaryEmbedding";
        node.inputs = inputs;
        node.attrs = vec![];
    }
    // Ends come in order, so a table stands before the first that reads it.
    for (at, node) in inserted.into_iter().rev() {
        graph.nodes.insert(at, node);
    }
}

/// `[batch, 1, query, half] -> [batch, query, half]`.
fn flattened(graph: &mut Graph, table: ValueId) -> (ValueId, Node) {
    let Value { name, dtype, shape } = graph.values[table].clone();
    let mut flat = shape;
    flat.remove(1);
    let value = |graph: &mut Graph, name, dtype, shape| {
        graph.values.push(Value { name, dtype, shape });
        graph.values.len() - 1
    };
    let one = Data::ints(&[1]);
    let axes_shape = vec![crate::expr::Expr::constant(1)];
    let axes = value(graph, format!("{name}/axes"), one.dtype, axes_shape);
    graph.initializers.insert(axes, one);
    let out = value(graph, format!("{name}/rows"), dtype, flat);
    let node = Node {
        op: "Squeeze",
        name: format!("{name}/Squeeze"),
        inputs: vec![Some(table), Some(axes)],
        outputs: vec![out],
        attrs: vec![],
    };
    (out, node)
}

fn find(search: &Search, end: usize, node: &Node) -> Option<Found> {
    if node.op != "Concat" || int(node, "axis") != Some(3) {
        return None;
    }
    let [low, high] = pair(node)?;
    let [a_cos, b_sin] = search.pair(low, "Sub")?;
    search.either(a_cos, "Mul").find_map(|[a, cos]| {
        let (x, half) = part(search, a, false)?;
        let [b, sin] = search
            .either(b_sin, "Mul")
            .find(|[b, _]| part(search, *b, true) == Some((x, half)))?;
        let is = |value, left, right| {
            search
                .either(value, "Mul")
                .any(|[one, other]| (one, other) == (left, right))
        };
        let turned = search
            .either(high, "Add")
            .any(|[first, second]| is(first, b, cos) && is(second, a, sin));
        let shape = |value: ValueId| &search.graph().values[value].shape;
        let (whole, table) = (shape(x), shape(cos));
        let fits = whole.len() == 4
            && table.len() == 4
            && table == shape(sin)
            && table[0] == whole[0]
            && table[1].is(1)
            && table[2] == whole[2]
            && table[3].is(half)
            && whole[3].is(2 * half);
        (turned && fits).then_some(Found { end, x, cos, sin })
    })
}

/// The tensor of which `value` is the first or second half along the last of four axes, and the
/// half's length.
fn part(search: &Search, value: ValueId, second: bool) -> Option<(ValueId, i64)> {
    let slice = search.made_by(value, "Slice")?;
    let [Some(x), Some(starts), Some(ends), Some(axes)] = slice.inputs.as_slice() else {
        return None;
    };
    let half = search.width(value)?;
    let (starts, ends) = (search.ints(*starts)?, search.ints(*ends)?);
    let at = if second {
        starts == [half] && ends.first().is_some_and(|end| *end >= 2 * half)
    } else {
        starts == [0] && ends == [half]
    };
    (at && search.ints(*axes)? == [3] && search.width(*x)? == 2 * half).then_some((*x, half))
}
