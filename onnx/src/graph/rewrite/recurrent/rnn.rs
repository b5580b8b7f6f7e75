//! `h' = tanh(x W + h R + b)`

use super::Cell;
use super::step::Step;

pub(super) fn find(step: &Step) -> Option<Cell> {
    let [[h, next]] = *step.states.as_slice() else {
        return None;
    };
    let gate = step.gate(step.of(next, "Tanh")?, h)?;
    Some(Cell {
        op: "RNN",
        gates: vec![gate],
        cell: None,
        attrs: vec![],
    })
}
