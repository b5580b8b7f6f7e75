//! Loops become nodes: what depends on a step moves inside, all else stays outside.
//!
//! `Scan` walks along axes itself. Where a runtime has none, `Loop` counts the steps: slices are
//! gathered by the number of the step, and what steps make comes along a new first axis.

use std::collections::HashSet;

use crate::error::{Error, Result};
use crate::expr::Expr;
use crate::graph::build::{
    Along, Attr, Attrs, BEGIN, Body, Data, DataType, END, Graph, Node, Turn, Value, ValueId,
};

/// Makes one node of every loop.
pub(crate) fn rewrite(graph: &mut Graph) -> Result<()> {
    for (number, turn) in std::mem::take(&mut graph.turns).into_iter().enumerate() {
        match (mark(graph, BEGIN, number), mark(graph, END, number)) {
            (Some(begin), Some(end)) => one(graph, &turn, begin, end),
            // Nothing reads what it gives.
            (None, None) => {}
            _ => return Err(Error::Unsound(format!("loop {number} has one end"))),
        }
    }
    Ok(())
}

/// Where the mark `op` of the loop `number` stands among the nodes.
pub(crate) fn mark(graph: &Graph, op: &str, number: usize) -> Option<usize> {
    let attrs: Attrs = vec![("loop", Attr::Int(number as i64))];
    let mut nodes = graph.nodes.iter();
    nodes.position(|node| node.op == op && node.attrs == attrs)
}

fn one(graph: &mut Graph, turn: &Turn, begin: usize, end: usize) {
    let mut inside: HashSet<ValueId> = graph.nodes[begin].outputs.iter().copied().collect();
    let mut rest = Vec::new();
    let mut nodes = Vec::new();
    let mut marks = Vec::new();
    for (index, node) in std::mem::take(&mut graph.nodes).into_iter().enumerate() {
        if index == begin || index == end {
            marks.push(node);
            if index == end {
                // The node of the loop goes here.
                rest.push(None);
            }
        } else if index > begin
            && index < end
            && node
                .inputs
                .iter()
                .flatten()
                .any(|input| inside.contains(input))
        {
            inside.extend(&node.outputs);
            nodes.push(node);
        } else {
            rest.push(Some(node));
        }
    }
    let mut names = Names::new(graph, rest.iter().flatten().chain(&nodes));
    let mut loops = Vec::new();
    if let [begin, end] = marks.as_slice() {
        let mut build = Build {
            graph,
            names: &mut names,
            turn,
            nodes,
        };
        loops = match turn.trips {
            Some(trips) => build.counted(begin, end, trips),
            None => vec![build.scanned(begin, end)],
        };
    }
    graph.nodes = rest
        .into_iter()
        .flat_map(|node| match node {
            Some(node) => vec![node],
            None => std::mem::take(&mut loops),
        })
        .collect();
}

/// Names that nothing has yet.
pub(crate) struct Names {
    taken: HashSet<String>,
}

impl Names {
    pub fn new<'a>(graph: &Graph, nodes: impl Iterator<Item = &'a Node>) -> Self {
        let values = graph.values.iter().map(|value| value.name.clone());
        let nodes = nodes.flat_map(Node::all).map(|node| node.name.clone());
        Self {
            taken: values.chain(nodes).collect(),
        }
    }

    pub fn unique(&mut self, wanted: &str) -> String {
        let numbered = (1..).map(|number| format!("{wanted}_{number}"));
        let mut names = std::iter::once(wanted.to_string()).chain(numbered);
        let free = names.find(|name| self.taken.insert(name.clone()));
        free.unwrap_or_else(|| wanted.to_string())
    }
}

/// A loop's node on its way.
struct Build<'a> {
    graph: &'a mut Graph,
    names: &'a mut Names,
    turn: &'a Turn,
    nodes: Vec<Node>,
}

impl Build<'_> {
    fn value(&mut self, name: &str, dtype: DataType, shape: Vec<Expr>) -> ValueId {
        let name = self.names.unique(name);
        self.graph.values.push(Value { name, dtype, shape });
        self.graph.values.len() - 1
    }

    fn node(
        &mut self,
        op: &'static str,
        inputs: &[ValueId],
        outputs: Vec<ValueId>,
        attrs: Attrs,
    ) -> Node {
        let name = self.names.unique(op);
        Node {
            op,
            name,
            inputs: inputs.iter().copied().map(Some).collect(),
            outputs,
            attrs,
        }
    }

    fn stored(&mut self, name: &str, data: Data) -> ValueId {
        let shape = data.dims.iter().map(|dim| Expr::constant(*dim as i64));
        let value = self.value(name, data.dtype, shape.collect());
        self.graph.initializers.insert(value, data);
        value
    }

    fn scanned(&mut self, begin: &Node, end: &Node) -> Node {
        let outputs = self.given(end);
        let axes = |along: &[Along]| along.iter().map(|along| along.axis as i64).collect();
        let ways = |along: &[Along]| along.iter().map(|along| i64::from(along.back)).collect();
        let (cut, put) = (&self.turn.cut, &self.turn.put);
        let attrs = vec![
            ("num_scan_inputs", Attr::Int(cut.len() as i64)),
            ("scan_input_axes", Attr::Ints(axes(cut))),
            ("scan_input_directions", Attr::Ints(ways(cut))),
            ("scan_output_axes", Attr::Ints(axes(put))),
            ("scan_output_directions", Attr::Ints(ways(put))),
        ];
        let body = self.body(begin.outputs.clone(), outputs);
        let mut node = self.node("Scan", &[], end.outputs.clone(), attrs);
        node.inputs = begin.inputs.clone();
        node.attrs.push(("body", Attr::Body(body)));
        node
    }

    fn counted(&mut self, begin: &Node, end: &Node, trips: ValueId) -> Vec<Node> {
        let states = self.turn.states;
        let step = self.value("step", DataType::Int64, vec![]);
        let (go, going) = (
            self.value("go", DataType::Bool, vec![]),
            self.value("going", DataType::Bool, vec![]),
        );
        let mut first = vec![self.node("Identity", &[go], vec![going], vec![])];
        // Slices by the number of the step, from the end by what is left.
        let mut left = None;
        let cut = begin.inputs[states..].iter().zip(&begin.outputs[states..]);
        for ((whole, slice), along) in cut.zip(&self.turn.cut) {
            let index = match (along.back, left) {
                (false, _) => step,
                (true, Some(left)) => left,
                (true, None) => {
                    let one = self.stored(
                        "one",
                        Data::new(DataType::Int64, vec![], 1i64.to_le_bytes().to_vec()),
                    );
                    let behind = self.value("behind", DataType::Int64, vec![]);
                    let next = self.value("left", DataType::Int64, vec![]);
                    first.push(self.node("Sub", &[trips, step], vec![behind], vec![]));
                    first.push(self.node("Sub", &[behind, one], vec![next], vec![]));
                    left = Some(next);
                    next
                }
            };
            let axis = vec![("axis", Attr::Int(along.axis as i64))];
            let inputs: Vec<ValueId> = whole.iter().copied().chain([index]).collect();
            first.push(self.node("Gather", &inputs, vec![*slice], axis));
        }
        let mut outputs = vec![going];
        outputs.extend(self.given(end));
        first.append(&mut self.nodes);
        self.nodes = first;
        let inputs = [step, go]
            .into_iter()
            .chain(begin.outputs[..states].iter().copied());
        let body = self.body(inputs.collect(), outputs);
        // What the steps make stands along the first axis, in the order of the steps.
        let mut after = Vec::new();
        let mut results = end.outputs[..states].to_vec();
        for (value, along) in end.outputs[states..].iter().zip(&self.turn.put) {
            let (dtype, shape) = (
                self.graph.values[*value].dtype,
                self.graph.values[*value].shape.clone(),
            );
            let mut rows = shape;
            let length = rows.remove(along.axis);
            rows.insert(0, length);
            let mut made = *value;
            if along.axis > 0 {
                let perm: Vec<i64> = (1..=along.axis)
                    .chain([0])
                    .chain(along.axis + 1..rows.len())
                    .map(|axis| axis as i64)
                    .collect();
                let flat = self.value("rows", dtype, rows.clone());
                after.insert(
                    0,
                    self.node(
                        "Transpose",
                        &[flat],
                        vec![made],
                        vec![("perm", Attr::Ints(perm))],
                    ),
                );
                made = flat;
            }
            if along.back {
                let turned = self.value("rows", dtype, rows);
                let ints = [[-1], [i64::MIN], [0], [-1]]
                    .map(|number| self.stored("ints", Data::ints(&number)));
                let inputs: Vec<ValueId> = [turned].into_iter().chain(ints).collect();
                after.insert(0, self.node("Slice", &inputs, vec![made], vec![]));
                made = turned;
            }
            results.push(made);
        }
        let yes = self.stored("yes", Data::new(DataType::Bool, vec![], vec![1]));
        let mut node = self.node(
            "Loop",
            &[trips, yes],
            results,
            vec![("body", Attr::Body(body))],
        );
        node.inputs.extend(begin.inputs[..states].iter().copied());
        after.insert(0, node);
        after
    }

    /// What the step gives: made in it, and each value once. A slice is read nowhere else: tract
    /// 0.23 gives what all readers of it read its new axis.
    fn given(&mut self, end: &Node) -> Vec<ValueId> {
        let made: HashSet<ValueId> = self
            .nodes
            .iter()
            .flat_map(|node| node.outputs.clone())
            .collect();
        let inputs = self.nodes.iter().flat_map(|node| node.inputs.clone());
        let read: HashSet<ValueId> = inputs.flatten().collect();
        let mut given: HashSet<ValueId> = HashSet::new();
        let mut outputs = Vec::new();
        for (index, value) in end.inputs.iter().flatten().enumerate() {
            let twice = end.inputs.iter().filter(|input| **input == Some(*value));
            let shared = read.contains(value) || twice.count() > 1;
            let shared = shared && index >= self.turn.states;
            if made.contains(value) && !shared && given.insert(*value) {
                outputs.push(*value);
                continue;
            }
            let (dtype, shape) = (
                self.graph.values[*value].dtype,
                self.graph.values[*value].shape.clone(),
            );
            let copy = self.value("given", dtype, shape);
            let node = self.node("Identity", &[*value], vec![copy], vec![]);
            self.nodes.push(node);
            outputs.push(copy);
        }
        outputs
    }

    fn body(&mut self, inputs: Vec<ValueId>, outputs: Vec<ValueId>) -> Body {
        Body {
            name: self.names.unique("step"),
            nodes: std::mem::take(&mut self.nodes),
            inputs,
            outputs,
        }
    }
}
