//! Runners that differ by a convention alone.

use super::judging::{Allowance, Mask, Other};
use super::pair::{Given, pair};
use crate::report::{Convention, Pair};
use crate::runner::{Kind, Runner};

/// Who differs from the checkpoint here and agrees with it under the `other` convention: their
/// pairs become those of that run.
pub(super) fn excused(
    runners: &mut [Box<dyn Runner>],
    given: &[Given],
    other: &Other,
    allowance: Allowance<'_>,
    mask: &dyn Mask,
    pairs: &mut Vec<Pair>,
) -> Vec<Convention> {
    let differs = |name: &str| {
        let own = |pair: &&Pair| pair.a == name || pair.b == name;
        pairs.iter().filter(own).any(|pair| !pair.agrees)
    };
    let suspects: Vec<&Given> = given
        .iter()
        .filter(|g| matches!(g.label.kind, Kind::Graph | Kind::File) && differs(&g.label.name))
        .collect();
    if suspects.is_empty() {
        return Vec::new();
    }
    let allowance = match (allowance, &other.reference) {
        (Allowance::Fixed(tolerance), _) => Allowance::Fixed(tolerance),
        (Allowance::Measured(_), Some(reference)) => Allowance::Measured(reference),
        (Allowance::Close(close, _), reference) => Allowance::Close(close, reference.as_ref()),
        (Allowance::Measured(_), None) => return Vec::new(),
    };
    let exact = allowance.reference().map(Given::exact);
    let backends = runners
        .iter_mut()
        .filter(|runner| matches!(runner.label().kind, Kind::Backend { .. }));
    let again = backends.filter_map(|runner| {
        let outputs = runner.run(&other.inputs).ok()?;
        let label = runner.label().clone();
        Some(Given { label, outputs })
    });
    let again: Vec<Given> = exact.into_iter().chain(again).collect();
    let mut found: Vec<Convention> = Vec::new();
    for suspect in suspects {
        let name = &suspect.label.name;
        let mut anew = Vec::new();
        for checkpoint in &again {
            pair(checkpoint, suspect, mask, &allowance, &mut anew);
        }
        if anew.is_empty() || !anew.iter().all(|pair| pair.agrees) {
            continue;
        }
        let known = |other: &str| again.iter().any(|g| g.label.name == other);
        pairs.retain(|pair| {
            !(pair.b == *name && known(&pair.a) || pair.a == *name && known(&pair.b))
        });
        pairs.extend(anew);
        found.push(Convention::new(name, other.follows));
    }
    // Two files of different conventions differ by that.
    let follows = |name: &str| found.iter().any(|convention| convention.runner == name);
    let checkpoint = |name: &str| again.iter().any(|g| g.label.name == name);
    pairs.retain(|pair| {
        let (a, b) = (follows(&pair.a), follows(&pair.b));
        a == b || checkpoint(&pair.a) || checkpoint(&pair.b)
    });
    found
}
