//! Every runner on the same inputs, every pair on every output.

use crate::Tensors;
use rayon::prelude::*;

use crate::diff::tolerance::Tolerance;
use crate::diff::{AllClose, Difference, Rounding, allclose_ratio, difference};
use crate::error::{Error, Result};
use crate::inputs::split;
use crate::reference::{self, Reference};
use crate::report::{Convention, NO_OUTPUT, Pair, Report, Skipped, UnmatchedOutput};
use crate::runner::expected::File;
use crate::runner::{Kind, Label, Runner};

/// Inputs, and what reports call them: `at batch 3, sequence 17`.
pub type Case = (String, Tensors);

/// Which elements of outputs count, on some inputs: what padding gives says nothing.
pub trait Mask: Sync {
    /// Of an output of `shape`, in row-major order; `None` where all of it counts.
    fn of_output(&self, name: &str, shape: &[usize]) -> Option<Vec<bool>>;
}

/// A mask from inputs.
pub type MaskOf = fn(&Tensors) -> Result<Box<dyn Mask>>;

/// Everything counts.
struct Everything;

impl Mask for Everything {
    fn of_output(&self, _: &str, _: &[usize]) -> Option<Vec<bool>> {
        None
    }
}

/// A case under another convention.
#[derive(Debug, Clone)]
pub struct Other {
    /// How tokens are numbered then: `by column`.
    pub follows: &'static str,
    /// The inputs, with these positions.
    pub inputs: Tensors,
    /// What the referee says of them, where there is one.
    pub reference: Option<Reference>,
}

/// What decides whether runners agree on several inputs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Judging<'a> {
    /// The referee's references, one for each case, or none.
    pub references: &'a [Reference],
    /// What any two values may differ by, whatever the referee says.
    pub close: Option<AllClose>,
    /// In place of the built-in tolerances, where there are no references.
    pub tolerance: Option<f64>,
    /// Each case under another convention, where there is one.
    pub others: &'a [Option<Other>],
    /// Which elements count; all where it is `None`.
    pub mask: Option<MaskOf>,
}

impl<'a> Judging<'a> {
    /// By the noise that the referee measured, one of `references` for each case.
    pub fn measured(references: &'a [Reference]) -> Self {
        Self {
            references,
            ..Self::default()
        }
    }
}

/// Where the tolerances come from.
#[derive(Clone, Copy)]
enum Allowance<'a> {
    /// Built in, or as given.
    Fixed(Option<f64>),
    /// What the referee found.
    Measured(&'a Reference),
    /// As given for each value; the referee's word stands beside.
    Close(AllClose, Option<&'a Reference>),
}

impl Allowance<'_> {
    fn reference(&self) -> Option<&Reference> {
        match self {
            Self::Fixed(_) => None,
            Self::Measured(reference) => Some(reference),
            Self::Close(_, reference) => *reference,
        }
    }
}

/// What one runner gave.
struct Given {
    label: Label,
    outputs: Tensors,
}

/// Runs every runner on `inputs` and compares each pair, judged by what `judging` says of its first
/// case.
///
/// `inputs` are named as the model's inputs, with or without `in.`; tensors `out.*` are expected
/// outputs and become one more runner, `file`. A runner that fails is listed as skipped, as long as
/// two are left.
///
/// # Errors
/// When the inputs do not fit the model, or fewer than two runners gave anything.
pub fn compare_inputs(
    runners: &mut [Box<dyn Runner>],
    inputs: &Tensors,
    judging: &Judging<'_>,
) -> Result<Report> {
    judged_as(runners, inputs, judging, 0)
}

/// [`compare_inputs`] on several inputs: of each output of each pair the worst case stays, and its
/// `case` names it.
///
/// # Errors
/// As [`compare_inputs`].
pub fn compare(
    runners: &mut [Box<dyn Runner>],
    cases: &[Case],
    judging: &Judging<'_>,
) -> Result<Report> {
    merged(cases, |i, inputs| judged_as(runners, inputs, judging, i))
}

/// The case of this number.
fn judged_as(
    runners: &mut [Box<dyn Runner>],
    inputs: &Tensors,
    judging: &Judging<'_>,
    number: usize,
) -> Result<Report> {
    let reference = judging.references.get(number);
    let other = judging.others.get(number).and_then(Option::as_ref);
    let allowance = match (judging.close, reference) {
        (Some(close), reference) => Allowance::Close(close, reference),
        (None, Some(reference)) => Allowance::Measured(reference),
        (None, None) => {
            checked(judging.tolerance)?;
            Allowance::Fixed(judging.tolerance)
        }
    };
    judged(runners, inputs, allowance, other, judging.mask)
}

/// Refuses a tolerance that is none.
fn checked(tolerance: Option<f64>) -> Result<()> {
    match tolerance.filter(|value| !(value.is_finite() && *value >= 0.0)) {
        Some(value) => Err(Error::Input(format!(
            "a tolerance of {value}; it must be a number of 0 or more"
        ))),
        None => Ok(()),
    }
}

fn judged(
    runners: &mut [Box<dyn Runner>],
    inputs: &Tensors,
    allowance: Allowance<'_>,
    other: Option<&Other>,
    mask: Option<MaskOf>,
) -> Result<Report> {
    let (inputs, expected) = split(inputs);
    let mask = match mask {
        Some(mask) => mask(&inputs)?,
        None => Box::new(Everything),
    };
    let mask = &*mask;
    let mut file = File::new(expected.clone());
    let mut all: Vec<&mut dyn Runner> = runners
        .iter_mut()
        .map(|runner| &mut **runner as _)
        .collect();
    if !expected.is_empty() {
        all.push(&mut file);
    }
    let (mut given, mut skipped) = (Vec::new(), Vec::new());
    for runner in all {
        match runner.run(&inputs) {
            Ok(outputs) => given.push(Given {
                label: runner.label().clone(),
                outputs,
            }),
            Err(error) if error.is_input() => {
                // Where others took the same, it is this one that does not.
                let known = !given.is_empty();
                return Err(if known {
                    error.of(runner.name())
                } else {
                    error
                });
            }
            Err(error) => {
                skipped.push(Skipped {
                    runner: runner.name().to_string(),
                    reason: error.to_string(),
                });
            }
        }
    }
    if given.len() < 2 {
        let ran: Vec<_> = given.into_iter().map(|g| g.label.name).collect();
        return Err(match (skipped.is_empty(), ran.as_slice()) {
            (false, _) => Error::Unable {
                ran,
                failed: skipped,
            },
            (true, [one]) => Error::TooFew(format!("there is only `{one}`")),
            (true, _) => Error::TooFew("there is no runner".to_string()),
        });
    }
    if let Some(reference) = allowance.reference() {
        let exact = Given {
            label: Label::new(reference::NAME, Kind::Referee),
            outputs: reference.exact.clone(),
        };
        given.insert(0, exact);
    }
    let all: Vec<_> = (0..given.len())
        .flat_map(|i| (i + 1..given.len()).map(move |j| (i, j)))
        .collect();
    // Logits are long, and there are many pairs.
    let found = all.into_par_iter().flat_map_iter(|(i, j)| {
        let mut own = Vec::new();
        pair(&given[i], &given[j], mask, &allowance, &mut own);
        own
    });
    let mut pairs: Vec<Pair> = found.collect();
    let conventions = match other {
        Some(other) => excused(runners, &given, other, allowance, mask, &mut pairs),
        None => Vec::new(),
    };
    // One output after the other, not one pair after the other.
    pairs.sort_by(|x, y| order(&x.output).cmp(&order(&y.output)));
    let alone = alone(&given, &pairs);
    let runners = given.into_iter().map(|g| g.label.name).collect();
    let mut report = Report::new(runners, pairs, skipped, alone);
    report.follow(conventions);
    Ok(report)
}

/// Who differs from the checkpoint here and agrees with it under the `other` convention: their
/// pairs become those of that run.
fn excused(
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
    let exact = allowance.reference().map(|reference| Given {
        label: Label::new(reference::NAME, Kind::Referee),
        outputs: reference.exact.clone(),
    });
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

/// The reports of all cases as one.
fn merged(
    cases: &[Case],
    mut compare: impl FnMut(usize, &Tensors) -> Result<Report>,
) -> Result<Report> {
    let mut merged: Option<Report> = None;
    for (i, (label, inputs)) in cases.iter().enumerate() {
        let mut report = compare(i, inputs).map_err(|e| e.at(label))?;
        for skipped in &mut report.skipped {
            skipped.reason = format!("{label}: {}", skipped.reason);
        }
        for pair in &mut report.pairs {
            pair.case = Some(label.clone());
        }
        for convention in &mut report.conventions {
            convention.cases.push(label.clone());
        }
        match &mut merged {
            Some(merged) => merged.merge(report),
            None => merged = Some(report),
        }
    }
    merged.ok_or_else(|| Error::TooFew("there are no inputs".to_string()))
}

/// Every output of one pair.
fn pair(a: &Given, b: &Given, mask: &dyn Mask, allowance: &Allowance<'_>, pairs: &mut Vec<Pair>) {
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

/// The outputs that are in no pair.
fn alone(given: &[Given], pairs: &[Pair]) -> Vec<UnmatchedOutput> {
    let mut names: Vec<_> = given.iter().flat_map(|g| g.outputs.keys()).collect();
    names.sort_by_key(|name| order(name));
    names.dedup();
    names
        .into_iter()
        .filter(|name| !pairs.iter().any(|pair| pair.output == **name))
        .map(|name| UnmatchedOutput {
            output: name.clone(),
            runners: given
                .iter()
                .filter(|g| g.outputs.contains_key(name))
                .map(|g| g.label.name.clone())
                .collect(),
        })
        .collect()
}

/// `layers.10` after `layers.9`: the parts of a name, numbers as numbers.
fn order(name: &str) -> Vec<(u64, &str)> {
    name.split('.')
        .map(|part| (part.parse().unwrap_or(u64::MAX), part))
        .collect()
}

#[cfg(test)]
mod tests;
