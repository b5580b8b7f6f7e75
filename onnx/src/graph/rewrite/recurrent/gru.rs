//! `h' = (1 - z) · n + z · h`, where `z` and `r` are logistic functions of sums of products of `x`
//! and `h`, and `n` is the tangent of one in which `r` weighs `h`: before the product with it, or
//! behind.

use super::Cell;
use super::step::{Gate, Step, Weight};
use crate::graph::build::{Attr, ValueId};

pub(super) fn find(step: &Step) -> Option<Cell> {
    let [[h, next]] = *step.states.as_slice() else {
        return None;
    };
    step.either(next, "Add").find_map(|[new, kept]| {
        let mut gates = step.either(kept, "Mul").filter(|[_, own]| *own == h);
        let z = gates.next()?[0];
        let update = step.sigmoid(z, h)?;
        let mut mixed = step.either(new, "Mul");
        let n = mixed.find_map(|[n, rest]| step.is_rest(rest, z).then_some(n))?;
        let n = step.of(n, "Tanh")?;
        let (reset, new, behind) = match behind(step, n, h) {
            Some((reset, new)) => (reset, new, true),
            None => {
                let (reset, new) = before(step, n, h)?;
                (reset, new, false)
            }
        };
        Some(Cell {
            op: "GRU",
            gates: vec![update, reset, new],
            cell: None,
            attrs: vec![("linear_before_reset", Attr::Int(i64::from(behind)))],
        })
    })
}

/// `x W + a + r · (h R + b)`
fn behind(step: &Step, value: ValueId, h: ValueId) -> Option<(Gate, Gate)> {
    let sum = step.sum(value)?;
    let ([(x, input)], [weighed]) = (sum.products.as_slice(), sum.rest.as_slice()) else {
        return None;
    };
    let outer = at_most_one(&sum.biases)?;
    (*x == step.x).then_some(())?;
    step.either(*weighed, "Mul").find_map(|[r, product]| {
        let reset = step.sigmoid(r, h)?;
        let inner = step.sum(product)?;
        let ([(own, state)], []) = (inner.products.as_slice(), inner.rest.as_slice()) else {
            return None;
        };
        let new = Gate {
            input: *input,
            state: *state,
            biases: [outer, at_most_one(&inner.biases)?],
        };
        (*own == h).then_some((reset, new))
    })
}

/// `x W + a + (r · h) R + b`
fn before(step: &Step, value: ValueId, h: ValueId) -> Option<(Gate, Gate)> {
    let sum = step.sum(value)?;
    let mut operands = sum.products.iter().map(|(operand, _)| *operand);
    let weighed = operands.find(|operand| *operand != step.x)?;
    let mut gates = step.either(weighed, "Mul").filter(|[_, own]| *own == h);
    let reset = step.sigmoid(gates.next()?[0], h)?;
    Some((reset, step.gate(value, weighed)?))
}

/// The only bias, if there is one; nothing if there are more.
fn at_most_one(biases: &[Weight]) -> Option<Option<Weight>> {
    match biases {
        [] => Some(None),
        [one] => Some(Some(*one)),
        _ => None,
    }
}
