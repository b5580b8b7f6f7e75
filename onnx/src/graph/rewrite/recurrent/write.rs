//! A cell's operator, and the exchanges of axes around it.

use std::collections::HashMap;

use super::Cell;
use super::pack::{Part, pack};
use super::step::Step;
use crate::expr::Expr;
use crate::graph::build::{Attr, Attrs, Data, DataType, Graph, Node, Value, ValueId};
use crate::loops::node::Names;

/// Writes operators into one graph.
pub(super) struct Write {
    names: Names,
    /// Whether operators may go from the end to the beginning.
    backwards: bool,
    /// What was packed already, by its parts: a layer that is used twice is stored once.
    packed: HashMap<(Vec<Part>, bool), ValueId>,
    axes: HashMap<i64, ValueId>,
    nodes: Vec<Node>,
    /// What stands before the names of new nodes and weights.
    scope: String,
}

/// A loop that becomes an operator.
pub(super) struct Found {
    pub number: usize,
    pub begin: Node,
    pub end: Node,
    pub cell: Cell,
    pub width: usize,
    pub hidden: usize,
}

impl Found {
    pub fn new(number: usize, begin: &Node, end: &Node, cell: Cell, step: &Step) -> Self {
        Self {
            number,
            begin: begin.clone(),
            end: end.clone(),
            cell,
            width: step.width,
            hidden: step.hidden,
        }
    }
}

impl Write {
    pub fn new(graph: &Graph, backwards: bool) -> Self {
        Self {
            names: Names::new(graph, graph.nodes.iter()),
            backwards,
            packed: HashMap::new(),
            axes: HashMap::new(),
            nodes: Vec::new(),
            scope: String::new(),
        }
    }

    /// The nodes in the place of a loop, which give what its end gave; none if the weights of a
    /// kind are stored in several types.
    pub fn operator(&mut self, graph: &mut Graph, found: &Found) -> Option<Vec<Node>> {
        let (begin, end, cell) = (&found.begin, &found.end, &found.cell);
        let turn = graph.turns[found.number].clone();
        let (along, whole) = (*turn.cut.first()?, begin.inputs[turn.states]?);
        let dtype = graph.values[whole].dtype;
        self.scope = scope(graph, cell);
        self.nodes.clear(); // of a loop that was given up
        let weights = self.weights(graph, found, dtype)?;

        // [steps, batch, width]
        let rest = (0..3).filter(|axis| *axis != along.axis);
        let perm: Vec<usize> = [along.axis].into_iter().chain(rest).collect();
        let old = graph.values[whole].shape.clone();
        let shape: Vec<Expr> = perm.iter().map(|axis| old[*axis].clone()).collect();
        let mut x = whole;
        if along.axis > 0 {
            x = self.value(graph, dtype, shape.clone());
            self.node("Transpose", vec![Some(whole)], vec![x], order(&perm));
        }
        let turned = self.backwards && along.back && turn.put.iter().all(|put| put.back);
        let flips = !turned && (along.back || turn.put.iter().any(|put| put.back));
        let falling = flips.then(|| self.falling(graph, x));
        if let Some(index) = falling.filter(|_| along.back) {
            let flipped = self.value(graph, dtype, shape.clone());
            self.gather(x, index, flipped);
            x = flipped;
        }
        let (steps, batch) = (shape[0].clone(), shape[1].clone());

        let (one, deep) = (Expr::constant(1), Expr::constant(found.hidden as i64));
        let state = vec![one.clone(), batch.clone(), deep.clone()];
        let mut inputs = vec![Some(x)];
        inputs.extend(weights);
        inputs.push(None); // the lengths of the sequences
        let hidden = cell.cell.map_or(0, |cell| 1 - cell);
        let states: Vec<usize> = [hidden].into_iter().chain(cell.cell).collect();
        for index in &states {
            let axes = self.axes(graph, 0);
            let first = self.value(graph, dtype, state.clone());
            let initial = begin.inputs[*index];
            self.node("Unsqueeze", vec![initial, Some(axes)], vec![first], vec![]);
            inputs.push(Some(first));
        }
        let mut attrs = vec![("hidden_size", Attr::Int(found.hidden as i64))];
        attrs.extend(cell.attrs.clone());
        if turned {
            attrs.push(("direction", Attr::Text("reverse")));
        }
        let shape = vec![steps.clone(), batch.clone(), deep.clone()];
        let all = vec![steps, one, batch, deep];
        let mut outputs = vec![self.value(graph, dtype, all)];
        for _ in &states {
            outputs.push(self.value(graph, dtype, state.clone()));
        }
        self.node(cell.op, inputs, outputs.clone(), attrs);

        let first = self.axes(graph, 0);
        for (index, last) in states.iter().zip(&outputs[1..]) {
            let to = end.outputs[*index];
            self.node("Squeeze", vec![Some(*last), Some(first)], vec![to], vec![]);
        }
        let second = self.axes(graph, 1);
        let squeeze = vec![Some(outputs[0]), Some(second)];
        for (put, to) in turn.put.iter().zip(&end.outputs[turn.states..]) {
            let flip = falling.filter(|_| put.back);
            let ends = put.axis == 0;
            let mut rows = if ends && flip.is_none() {
                *to
            } else {
                self.value(graph, dtype, shape.clone())
            };
            self.node("Squeeze", squeeze.clone(), vec![rows], vec![]);
            if let Some(index) = flip {
                let flipped = if ends {
                    *to
                } else {
                    self.value(graph, dtype, shape.clone())
                };
                self.gather(rows, index, flipped);
                rows = flipped;
            }
            if !ends {
                let mut perm = vec![1, 2];
                perm.insert(put.axis, 0);
                self.node("Transpose", vec![Some(rows)], vec![*to], order(&perm));
            }
        }
        Some(std::mem::take(&mut self.nodes))
    }

    /// `W`, `R` and `B` of all gates.
    fn weights(
        &mut self,
        graph: &mut Graph,
        found: &Found,
        dtype: DataType,
    ) -> Option<[Option<ValueId>; 3]> {
        let gates = &found.cell.gates;
        let input = gates.iter().map(|gate| Some(gate.input)).collect();
        let state = gates.iter().map(|gate| Some(gate.state)).collect();
        let biases = [0, 1].map(|side| gates.iter().map(move |gate| gate.biases[side]));
        let biases: Vec<Part> = biases.into_iter().flatten().collect();
        let input = self.packed(graph, "W", input, found.hidden, Some(found.width), dtype)?;
        let state = self.packed(graph, "R", state, found.hidden, Some(found.hidden), dtype)?;
        let bias = if biases.iter().any(Option::is_some) {
            Some(self.packed(graph, "B", biases, found.hidden, None, dtype)?)
        } else {
            None
        };
        Some([Some(input), Some(state), bias])
    }

    fn packed(
        &mut self,
        graph: &mut Graph,
        name: &str,
        parts: Vec<Part>,
        rows: usize,
        columns: Option<usize>,
        dtype: DataType,
    ) -> Option<ValueId> {
        let key = (parts, columns.is_some());
        let value = match self.packed.get(&key) {
            Some(value) => *value,
            None => {
                let data = pack(graph, &key.0, rows, columns)?;
                let value = self.stored(graph, name, data);
                self.packed.insert(key, value);
                value
            }
        };
        let own = &graph.values[value];
        if own.dtype == dtype {
            return Some(value);
        }
        let shape = own.shape.clone();
        let cast = self.value(graph, dtype, shape);
        let to = vec![("to", Attr::Int(dtype as i64))];
        self.node("Cast", vec![Some(value)], vec![cast], to);
        Some(cast)
    }

    /// The numbers of the elements of the first axis, from the last to the first: tract walks an
    /// open axis forwards only.
    fn falling(&mut self, graph: &mut Graph, x: ValueId) -> ValueId {
        let (int, length) = (DataType::Int64, graph.values[x].shape[0].clone());
        let number = |number: i64| Data::new(int, vec![], number.to_le_bytes().to_vec());
        let [zero, one] = [0, 1].map(|n| self.stored(graph, "scalar", number(n)));
        let axes = self.axes(graph, 0);
        let vector = self.value(graph, int, vec![Expr::constant(1)]);
        let ends = vec![("start", Attr::Int(0)), ("end", Attr::Int(1))];
        self.node("Shape", vec![Some(x)], vec![vector], ends);
        let count = self.value(graph, int, vec![]);
        self.node(
            "Squeeze",
            vec![Some(vector), Some(axes)],
            vec![count],
            vec![],
        );
        let last = self.value(graph, int, vec![]);
        self.node("Sub", vec![Some(count), Some(one)], vec![last], vec![]);
        let shape = vec![length];
        let range = self.value(graph, int, shape.clone());
        let inputs = [zero, count, one].map(Some).to_vec();
        self.node("Range", inputs, vec![range], vec![]);
        // As where a sequence is counted: the absolute value ends what tract follows too far.
        let rising = self.value(graph, int, shape.clone());
        self.node("Abs", vec![Some(range)], vec![rising], vec![]);
        let falling = self.value(graph, int, shape);
        self.node("Sub", vec![Some(last), Some(rising)], vec![falling], vec![]);
        falling
    }

    fn gather(&mut self, from: ValueId, index: ValueId, to: ValueId) {
        let axis = vec![("axis", Attr::Int(0))];
        self.node("Gather", vec![Some(from), Some(index)], vec![to], axis);
    }

    fn value(&mut self, graph: &mut Graph, dtype: DataType, shape: Vec<Expr>) -> ValueId {
        let name = self.names.unique(&format!("{}steps", self.scope));
        graph.values.push(Value { name, dtype, shape });
        graph.values.len() - 1
    }

    fn stored(&mut self, graph: &mut Graph, name: &str, data: Data) -> ValueId {
        let name = self.names.unique(&format!("{}{name}", self.scope));
        let shape = data.dims.iter().map(|dim| Expr::constant(*dim as i64));
        let (dtype, shape) = (data.dtype, shape.collect());
        graph.values.push(Value { name, dtype, shape });
        graph.initializers.insert(graph.values.len() - 1, data);
        graph.values.len() - 1
    }

    fn axes(&mut self, graph: &mut Graph, axis: i64) -> ValueId {
        if let Some(axes) = self.axes.get(&axis) {
            return *axes;
        }
        let value = self.stored(graph, "axes", Data::ints(&[axis]));
        self.axes.insert(axis, value);
        value
    }

    fn node(
        &mut self,
        op: &'static str,
        inputs: Vec<Option<ValueId>>,
        outputs: Vec<ValueId>,
        attrs: Attrs,
    ) {
        let name = self
            .names
            .unique(&format!("{}{op}", self.scope.replace('.', "/")));
        self.nodes.push(Node {
            op,
            name,
            inputs,
            outputs,
            attrs,
        });
    }
}

fn order(perm: &[usize]) -> Attrs {
    let perm = perm.iter().map(|axis| *axis as i64).collect();
    vec![("perm", Attr::Ints(perm))]
}

/// The module that holds all of a cell's weights, with a dot behind; nothing at the top.
fn scope(graph: &Graph, cell: &Cell) -> String {
    let weights = cell.gates.iter().flat_map(|gate| [gate.input, gate.state]);
    let mut names = weights.map(|weight| graph.values[weight.stored].name.as_str());
    let first = names.next().unwrap_or_default();
    let common = names.fold(first, |common, name| {
        let pairs = common.bytes().zip(name.bytes());
        &common[..pairs.take_while(|(a, b)| a == b).count()]
    });
    let end = common.rfind('.').map_or(0, |dot| dot + 1);
    common.get(..end).unwrap_or_default().to_string()
}
