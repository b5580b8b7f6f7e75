//! Every runner on the same inputs, every pair on every output.

mod excused;
mod judging;
mod pair;

use rayon::prelude::*;

use crate::Tensors;
use crate::error::{Error, Result};
use crate::inputs::split;
use crate::report::{Arithmetic, Pair, Report, Skipped, UnmatchedOutput};
use crate::runner::Runner;
use crate::runner::expected::File;

use excused::excused;
use judging::{Allowance, Everything};
pub use judging::{Judging, Mask, MaskOf, Other};
use pair::{Given, pair};

/// Inputs, and what reports call them: `at batch 3, sequence 17`.
pub type Case = (String, Tensors);

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
    let other = judging.others.get(number).and_then(Option::as_ref);
    judged(
        runners,
        inputs,
        judging.allowance(number)?,
        other,
        judging.mask,
    )
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
        given.insert(0, Given::exact(reference));
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
    let arithmetic = given.iter().filter_map(|given| {
        Some(Arithmetic {
            runner: given.label.name.clone(),
            computes: given.label.arithmetic.clone()?,
        })
    });
    let arithmetic = arithmetic.collect();
    let runners = given.into_iter().map(|g| g.label.name).collect();
    let mut report = Report::new(runners, pairs, skipped, alone);
    report.follow(conventions);
    report.computed(arithmetic);
    Ok(report)
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
