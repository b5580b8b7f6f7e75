//! Outputs of two runners beside each other.

use super::judging::{Allowance, Mask};
use crate::Tensors;
use crate::diff::tolerance::Tolerance;
use crate::diff::{Difference, Rounding, allclose_ratio, difference};
use crate::reference::{self, Reference};
use crate::report::{NO_OUTPUT, Pair};
use crate::runner::{Kind, Label};

/// What one runner gave.
pub(super) struct Given {
    pub(super) label: Label,
    pub(super) outputs: Tensors,
}

impl Given {
    /// The exact outputs, as a runner's.
    pub(super) fn exact(reference: &Reference) -> Self {
        Self {
            label: Label::new(reference::NAME, Kind::Referee),
            outputs: reference.exact.clone(),
        }
    }
}

/// Every output of one pair.
pub(super) fn pair(
    a: &Given,
    b: &Given,
    mask: &dyn Mask,
    allowance: &Allowance<'_>,
    pairs: &mut Vec<Pair>,
) {
    let reference = allowance.reference();
    // What is exact for weights of `b`'s precision.
    let outputs = match (a.label.kind, reference) {
        (Kind::Referee, Some(reference)) => &reference.of(b.label.declared).exact,
        _ => &a.outputs,
    };
    let kinds = (a.label.kind, b.label.kind);
    let tolerance = |noise: Option<f64>| match (allowance, noise) {
        (Allowance::Close(..), noise) => Tolerance::close(noise),
        (_, Some(noise)) => Tolerance::measured(kinds.0, kinds.1, noise),
        (Allowance::Fixed(given), None) => Tolerance::between(kinds.0, kinds.1, *given),
        (Allowance::Measured(_), None) => Tolerance::between(kinds.0, kinds.1, None),
    };
    let mut add = |output: &str, mut found: Difference| {
        let both = outputs.get(output).zip(b.outputs.get(output));
        let both = both.filter(|_| found.scaled.is_finite());
        let kept = both.and_then(|(left, _)| mask.of_output(output, left.shape().as_slice()));
        let kept = kept.as_deref();
        let mut noise = reference.map(|_| 0.0);
        if let (Some(reference), Some((left, right))) = (reference, both) {
            let explained = explained(a, b, mask, reference, output);
            let coarser = coarser(a, b, reference);
            let allowed = |noise| Tolerance::measured(kinds.0, kinds.1, coarser * noise).value;
            if let Some(off) = explained.worst(left, right, kept, allowed) {
                (found.scaled, noise) = (off.scaled, Some(coarser * off.noise));
            }
        }
        let names = [&a.label.name, &b.label.name];
        let mut pair = Pair::new(names[0], names[1], output, found, &tolerance(noise));
        if let Allowance::Close(close, _) = allowance {
            let excess = both.map(|(left, right)| allclose_ratio(left, right, kept, *close));
            let excess = excess.unwrap_or(f64::INFINITY);
            pair.agrees = excess <= 1.0;
            pair.excess = Some(excess);
        }
        pairs.push(pair);
    };
    let nothing = |why: &str| Difference::unmeasured(why.to_string());
    let mut shared = outputs.keys().filter(|name| b.outputs.contains_key(*name));
    if shared.next().is_none() {
        return add(NO_OUTPUT, nothing("no output in common"));
    }
    let (mut compared, mut hidden) = (0, 0);
    for (name, left) in outputs {
        match b.outputs.get(name) {
            Some(right) => {
                let kept = mask.of_output(name, left.shape().as_slice());
                let all_hidden = |kept: &Vec<bool>| !kept.is_empty() && !kept.contains(&true);
                // What is made of padding alone (a pooler's output behind padding on the left)
                // says nothing, and takes nothing from what the others say.
                if left.shape() == right.shape() && kept.as_ref().is_some_and(all_hidden) {
                    hidden += 1;
                    continue;
                }
                let logits = name.ends_with("logits");
                add(name, difference(left, right, kept.as_deref(), logits));
                compared += 1;
            }
            None if b.label.kind.owes(a.label.kind) => add(name, missing(&b.label.name)),
            None => {}
        }
    }
    for name in b.outputs.keys().filter(|name| !outputs.contains_key(*name)) {
        if a.label.kind.owes(b.label.kind) {
            add(name, missing(&a.label.name));
        }
    }
    if compared == 0 && hidden > 0 {
        add(
            NO_OUTPUT,
            nothing("the mask keeps no position: nothing was compared"),
        );
    }
}

/// How many times more one of `a` and `b` rounds than what the noise was measured of: fewer digits,
/// more noise.
fn coarser(a: &Given, b: &Given, reference: &Reference) -> f64 {
    let coarser = |given: &Given| {
        let own = reference.of(given.label.declared).unit;
        given.label.unit.unwrap_or(own) / own
    };
    coarser(a).max(coarser(b)).max(1.0)
}

/// What rounding explains of `output` between `a` and `b`: of each from what is exact for weights
/// of its precision, and how far those lie apart.
fn explained(
    a: &Given,
    b: &Given,
    mask: &dyn Mask,
    reference: &Reference,
    output: &str,
) -> Rounding {
    let ours = reference.of(b.label.declared);
    let noise = ours.noise.get(output).cloned();
    let mut noise = noise.unwrap_or_else(|| Rounding::of_output(0.0));
    if matches!(a.label.kind, Kind::Referee) || a.label.declared == b.label.declared {
        return noise;
    }
    let theirs = reference.of(a.label.declared);
    if let Some(other) = theirs.noise.get(output) {
        noise.join(other);
    }
    if let (Some(here), Some(there)) = (ours.exact.get(output), theirs.exact.get(output)) {
        let kept = mask.of_output(output, here.shape().as_slice());
        noise.widen(here, there, kept.as_deref());
    }
    noise
}

fn missing(runner: &str) -> Difference {
    Difference::unmeasured(format!("`{runner}` gives no such output"))
}
