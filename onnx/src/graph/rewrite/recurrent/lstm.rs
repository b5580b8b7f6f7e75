//! `c' = f · c + i · g` and `h' = o · tanh(c')`, where `i`, `o` and `f` are logistic functions of
//! sums of products of `x` and `h`, and `g` is the tangent of one.

use super::Cell;
use super::step::Step;

pub(super) fn find(step: &Step) -> Option<Cell> {
    let states = step.states.as_slice();
    if states.len() != 2 {
        return None;
    }
    [0, 1].into_iter().find_map(|cell| {
        let ([h, next_h], [c, next_c]) = (states[1 - cell], states[cell]);
        let out = step.either(next_h, "Mul").find_map(|[gate, tanh]| {
            let squashed = step.of(tanh, "Tanh") == Some(next_c);
            squashed.then(|| step.sigmoid(gate, h)).flatten()
        })?;
        step.either(next_c, "Add").find_map(|[kept, added]| {
            let forget = step.either(kept, "Mul").find_map(|[gate, own]| {
                let kept = own == c;
                kept.then(|| step.sigmoid(gate, h)).flatten()
            })?;
            let (input, new) = step.either(added, "Mul").find_map(|[gate, new]| {
                let new = step.gate(step.of(new, "Tanh")?, h)?;
                Some((step.sigmoid(gate, h)?, new))
            })?;
            Some(Cell {
                op: "LSTM",
                gates: vec![input, out.clone(), forget, new],
                cell: Some(cell),
                attrs: vec![],
            })
        })
    })
}
