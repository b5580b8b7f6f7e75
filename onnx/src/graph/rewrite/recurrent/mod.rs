//! Loops whose step is that of a known cell are one operator: `LSTM`, `GRU` or `RNN`.
//!
//! The step is recognised by what it computes, while its operations still stand between the marks
//! of [`crate::loops::node`]. Whatever is not proven to be such a cell stays a loop: another function,
//! an inner value that is read outside, a state of another shape, weights that are computed.

mod gru;
mod lstm;
mod pack;
mod rnn;
mod step;
mod write;

use crate::graph::build::{Attr, Attrs, BEGIN, DataType, END, Graph};
use crate::loops::node::mark;
use crate::target::Forms;
use step::{Gate, Step};
use write::{Found, Write};

/// A cell that has an operator.
pub(super) struct Cell {
    op: &'static str,
    /// In the operator's order.
    gates: Vec<Gate>,
    /// Which of the states is the cell's; the other one, or the only one, is the hidden state.
    cell: Option<usize>,
    attrs: Attrs,
}

/// Makes the operators, in the `forms` that the file may have.
pub(super) fn rewrite(graph: &mut Graph, forms: Forms) {
    let mut write = Write::new(graph, forms.backwards);
    for number in 0..graph.turns.len() {
        let mark = |op| mark(graph, op, number);
        let (Some(begin), Some(end)) = (mark(BEGIN), mark(END)) else {
            continue;
        };
        let Some(found) = find(graph, number, [begin, end], forms) else {
            continue;
        };
        let Some(nodes) = write.operator(graph, &found) else {
            continue;
        };
        // Nothing asks for the number of steps any more, nor for what stood between the marks.
        graph.turns[number].trips = None;
        let after = graph.nodes.split_off(end + 1);
        graph.nodes.truncate(end);
        graph.nodes.extend(nodes);
        graph.nodes.extend(after);
    }
}

/// The cell of the loop between two marks.
fn find(graph: &Graph, number: usize, [begin, end]: [usize; 2], forms: Forms) -> Option<Found> {
    let (begin, end) = (&graph.nodes[begin], &graph.nodes[end]);
    let states = graph.turns[number].states;
    let step = Step::new(graph, begin, end, states)?;
    let mut cells = [lstm::find, gru::find, rnn::find].into_iter();
    let cell = cells.find_map(|find| find(&step))?;
    let behind = cell.attrs.contains(&("linear_before_reset", Attr::Int(1)));
    let has = cell.op == "LSTM" || behind || forms.rnn;
    // What all steps give is the hidden state.
    let hidden = cell.cell.map_or(0, |cell| 1 - cell);
    let mut given = end.inputs[states..].iter();
    let known = given.all(|value| *value == Some(step.states[hidden][1]));
    // ONNX Runtime has no such operators of 64 bits.
    let single = matches!(step.dtype, DataType::Float | DataType::Float16);
    (has && known && single).then(|| Found::new(number, begin, end, cell, &step))
}
