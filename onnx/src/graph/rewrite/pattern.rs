//! What the rewrites that look for a computation share.

use std::collections::{BTreeMap, HashSet};

use crate::graph::build::{Attr, Graph, Node, ValueId};

/// A graph that is searched: which node makes a value.
pub(super) struct Search<'a> {
    graph: &'a Graph,
    producers: BTreeMap<ValueId, usize>,
}

impl<'a> Search<'a> {
    pub fn new(graph: &'a Graph) -> Self {
        Self {
            graph,
            producers: graph.producers(),
        }
    }

    pub fn graph(&self) -> &'a Graph {
        self.graph
    }

    /// The node that makes `value`, if it is an `op`.
    pub fn made_by(&self, value: ValueId, op: &str) -> Option<&'a Node> {
        let node = &self.graph.nodes[*self.producers.get(&value)?];
        (node.op == op).then_some(node)
    }

    /// The two inputs of the `op` that makes `value`.
    pub fn pair(&self, value: ValueId, op: &str) -> Option<[ValueId; 2]> {
        pair(self.made_by(value, op)?)
    }

    /// The only input of the `op` that makes `value`.
    pub fn one(&self, value: ValueId, op: &str) -> Option<ValueId> {
        match self.made_by(value, op)?.inputs.as_slice() {
            [Some(input)] => Some(*input),
            _ => None,
        }
    }

    /// The two inputs, in both orders, of the `op` that makes `value`.
    pub fn either(&self, value: ValueId, op: &str) -> impl Iterator<Item = [ValueId; 2]> + use<> {
        let found = self.pair(value, op);
        found.into_iter().flat_map(|[a, b]| [[a, b], [b, a]])
    }

    /// The number that an initializer of one element holds.
    pub fn number(&self, value: ValueId) -> Option<f64> {
        self.graph.initializers.get(&value)?.as_number()
    }

    /// The whole numbers that an initializer holds.
    pub fn ints(&self, value: ValueId) -> Option<Vec<i64>> {
        self.graph.initializers.get(&value)?.as_ints()
    }

    /// Of the two inputs of the `op` that makes `value`, the one beside the number `wanted`, as
    /// near as 32-bit floats hold it.
    pub fn beside(&self, value: ValueId, op: &str, wanted: f64) -> Option<ValueId> {
        self.either(value, op).find_map(|[a, b]| {
            let near = |n: f64| (n - wanted).abs() <= 1e-7 * wanted.abs();
            self.number(b).is_some_and(near).then_some(a)
        })
    }

    /// How many axes a value has.
    pub fn rank(&self, value: ValueId) -> usize {
        self.graph.values[value].shape.len()
    }

    /// The constant length of the last axis of a value.
    pub fn width(&self, value: ValueId) -> Option<i64> {
        self.graph.values[value].shape.last()?.as_constant()
    }
}

/// The inputs of a node of two.
pub(super) fn pair(node: &Node) -> Option<[ValueId; 2]> {
    match node.inputs.as_slice() {
        [Some(a), Some(b)] => Some([*a, *b]),
        _ => None,
    }
}

/// A whole attribute of a node.
pub(super) fn int(node: &Node, name: &str) -> Option<i64> {
    node.attrs.iter().find_map(|(attr, value)| match value {
        Attr::Int(value) if *attr == name => Some(*value),
        _ => None,
    })
}

/// Replaces every node for which `find` gives another, whose result is the same.
pub(super) fn replace(
    graph: &mut Graph,
    op: &'static str,
    find: impl Fn(&Search, &Node) -> Option<(&'static str, Vec<ValueId>, crate::graph::build::Attrs)>,
) {
    let search = Search::new(graph);
    let ends = graph.nodes.iter().enumerate();
    let found: Vec<_> = ends
        .filter(|(_, node)| node.op == op)
        .filter_map(|(index, node)| Some((index, find(&search, node)?)))
        .collect();
    let mut taken: HashSet<String> = graph.nodes.iter().map(|node| node.name.clone()).collect();
    for (index, (op, inputs, attrs)) in found {
        let node = &mut graph.nodes[index];
        // `module/Mul` becomes `module/Swish`, with a number behind if there is one.
        let name = match node.name.rsplit_once('/') {
            Some((module, last)) => format!("{module}/{}", last.replacen(node.op, op, 1)),
            None => node.name.replacen(node.op, op, 1),
        };
        let numbered = (1..).map(|number| format!("{name}_{number}"));
        let mut names = std::iter::once(name.clone()).chain(numbered);
        node.name = names
            .find(|name| taken.insert(name.clone()))
            .unwrap_or(name);
        node.op = op;
        node.inputs = inputs.into_iter().map(Some).collect();
        node.attrs = attrs;
    }
}
