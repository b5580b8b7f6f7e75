//! The graph that is being put together: values, nodes, initializers.

use std::collections::BTreeMap;

pub(crate) use super::data::Data;
pub use super::data_type::DataType;
use crate::expr::Expr;

/// A value's place in [`Graph::values`].
pub(crate) type ValueId = usize;

/// A tensor that flows through the graph.
#[derive(Clone, Debug)]
pub(crate) struct Value {
    pub name: String,
    pub dtype: DataType,
    pub shape: Vec<Expr>,
}

/// An attribute of a node.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Attr {
    Int(i64),
    Float(f32),
    Ints(Vec<i64>),
    Text(&'static str),
    /// What a loop does at each step.
    Body(Body),
}

/// A graph inside a node. It reads values of the graph around it by name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Body {
    pub name: String,
    pub nodes: Vec<Node>,
    pub inputs: Vec<ValueId>,
    pub outputs: Vec<ValueId>,
}

/// Attributes as lowerers write them.
pub(crate) type Attrs = Vec<(&'static str, Attr)>;

/// One operation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub op: &'static str,
    pub name: String,
    pub inputs: Vec<Option<ValueId>>,
    pub outputs: Vec<ValueId>,
    pub attrs: Attrs,
}

impl Node {
    /// The node, and those inside of it.
    pub fn all(&self) -> impl Iterator<Item = &Self> {
        let inside = self.body().into_iter().flat_map(|body| &body.nodes);
        std::iter::once(self).chain(inside)
    }

    /// What the node does at each step, if it is a loop.
    pub fn body(&self) -> Option<&Body> {
        self.attrs.iter().find_map(|(_, attr)| match attr {
            Attr::Body(body) => Some(body),
            _ => None,
        })
    }
}

/// Where a loop begins, until it is one node: takes initial states and what is cut into slices,
/// gives the states and slices of a step.
pub(crate) const BEGIN: &str = "loop begins";
/// Where it ends: takes the next states and the slices that a step makes, gives the last states
/// and what the slices make.
pub(crate) const END: &str = "loop ends";

/// A loop that is not yet one node. Its two ends carry the attribute `loop`, its number.
#[derive(Clone, Debug)]
pub(crate) struct Turn {
    /// How many of the first inputs and outputs of its ends are states.
    pub states: usize,
    /// How the inputs behind them are cut.
    pub cut: Vec<Along>,
    /// How the outputs behind them are put together.
    pub put: Vec<Along>,
    /// The number of steps, without dimensions, for a `Loop`; none for a `Scan`, which sees it.
    pub trips: Option<ValueId>,
}

/// An axis that a loop walks along, one element a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Along {
    pub axis: usize,
    /// From its end to its beginning.
    pub back: bool,
}

/// A whole graph.
#[derive(Clone, Debug, Default)]
pub(crate) struct Graph {
    pub name: String,
    pub sizes: Vec<String>,
    pub minima: Vec<i64>,
    /// Dimensions as the caller wrote them.
    pub spelled: BTreeMap<Expr, String>,
    pub values: Vec<Value>,
    pub nodes: Vec<Node>,
    pub initializers: BTreeMap<ValueId, Data>,
    pub inputs: Vec<ValueId>,
    pub outputs: Vec<ValueId>,
    /// The loops that are not yet nodes.
    pub turns: Vec<Turn>,
}

impl Graph {
    /// Puts nodes behind those that make what they read; others keep their order.
    pub fn sort(&mut self) {
        fn place(
            graph: &Graph,
            makers: &BTreeMap<ValueId, usize>,
            node: usize,
            order: &mut Vec<usize>,
            placed: &mut [bool],
        ) {
            if std::mem::replace(&mut placed[node], true) {
                return;
            }
            let inputs = graph.nodes[node].inputs.iter().flatten();
            inputs
                .filter_map(|input| makers.get(input))
                .for_each(|maker| place(graph, makers, *maker, order, placed));
            order.push(node);
        }
        let (makers, count) = (self.producers(), self.nodes.len());
        let (mut order, mut placed) = (Vec::with_capacity(count), vec![false; count]);
        (0..count).for_each(|node| place(self, &makers, node, &mut order, &mut placed));
        let mut nodes: Vec<Option<Node>> = std::mem::take(&mut self.nodes)
            .into_iter()
            .map(Some)
            .collect();
        self.nodes = order
            .into_iter()
            .filter_map(|node| nodes[node].take())
            .collect();
    }

    /// Every node, those inside of loops behind the loop.
    pub fn all_nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().flat_map(Node::all)
    }

    /// A dimension for people and for other programs: as the caller wrote it, if they did.
    pub fn show(&self, dim: &Expr) -> String {
        let spelled = self.spelled.get(dim).cloned();
        spelled.unwrap_or_else(|| dim.show(&self.sizes))
    }

    /// Where each value is made: the position of its node.
    pub fn producers(&self) -> BTreeMap<ValueId, usize> {
        let mut producers = BTreeMap::new();
        for (index, node) in self.nodes.iter().enumerate() {
            producers.extend(node.outputs.iter().map(|output| (*output, index)));
        }
        producers
    }
}

/// The shape of an element-wise result, or none if the shapes do not fit for certain.
pub(crate) fn broadcast(a: &[Expr], b: &[Expr]) -> Option<Vec<Expr>> {
    let rank = a.len().max(b.len());
    let at = |shape: &[Expr], axis: usize| {
        (axis + shape.len())
            .checked_sub(rank)
            .map(|axis| shape[axis].clone())
    };
    (0..rank)
        .map(|axis| match (at(a, axis), at(b, axis)) {
            (Some(a), Some(b)) if b.is(1) || a.same(&b) => Some(a),
            (Some(a), Some(b)) if a.is(1) => Some(b),
            (Some(_), Some(_)) | (None, None) => None,
            (Some(one), None) | (None, Some(one)) => Some(one),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_broadcast_by_what_is_certain() {
        let (n, one, four) = (Expr::size(0), Expr::constant(1), Expr::constant(4));
        let full = vec![n.clone(), four.clone()];
        assert_eq!(
            broadcast(&full, std::slice::from_ref(&four)),
            Some(full.clone())
        );
        assert_eq!(broadcast(&[n.clone(), one], &full), Some(full));
        assert_eq!(broadcast(&[n], &[four]), None);
    }
}
