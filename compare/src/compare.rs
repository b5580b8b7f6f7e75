//! Every runner on the same inputs, every pair on every output.

use burn::tensor::TensorData;
use fluxo_models::Tensors;

use crate::diff::{Difference, difference, excess};
use crate::error::{Error, Result};
use crate::inputs::split;
use crate::mask::Mask;
use crate::referee::{self, Ruling};
use crate::report::{Alone, Pair, Report, Skipped};
use crate::runner::file::File;
use crate::runner::{Kind, Runner};
use crate::verdict::{Close, Tolerance};

/// Inputs, and what reports call them: `at batch 3, sequence 17`.
pub type Case = (String, Tensors);

/// Where the tolerances come from.
enum Allowance<'a> {
    /// Built in, or as given.
    Fixed(Option<f64>),
    /// What the referee found.
    Measured(&'a Ruling),
    /// As given for each value; the referee's word stands beside.
    Close(Close, Option<&'a Ruling>),
}

impl Allowance<'_> {
    fn ruling(&self) -> Option<&Ruling> {
        match self {
            Self::Fixed(_) => None,
            Self::Measured(ruling) => Some(ruling),
            Self::Close(_, ruling) => *ruling,
        }
    }
}

/// What one runner gave.
struct Given {
    name: String,
    kind: Kind,
    unit: Option<f64>,
    outputs: Tensors,
}

/// Runs every runner on `inputs` and compares each pair.
///
/// `inputs` are named as the model's inputs, with or without `in.`; tensors `out.*` are expected
/// outputs and become one more runner, `file`. `tolerance` overrides the built-in ones
/// ([`Tolerance::between`]). A runner that fails is listed as skipped, as long as two are left.
///
/// # Errors
/// When the inputs do not fit the model, or fewer than two runners gave anything.
pub fn compare(
    runners: &mut [Box<dyn Runner>],
    inputs: &Tensors,
    tolerance: Option<f64>,
) -> Result<Report> {
    if let Some(value) = tolerance.filter(|value| !(value.is_finite() && *value >= 0.0)) {
        return Err(Error::Input(format!(
            "a tolerance of {value}; it must be a number of 0 or more"
        )));
    }
    judged(runners, inputs, &Allowance::Fixed(tolerance))
}

fn judged(
    runners: &mut [Box<dyn Runner>],
    inputs: &Tensors,
    allowance: &Allowance<'_>,
) -> Result<Report> {
    let (inputs, expected) = split(inputs);
    let mask = Mask::of(&inputs)?;
    let mut file = File::new(expected.clone());
    let mut all: Vec<&mut dyn Runner> = runners
        .iter_mut()
        .map(|runner| &mut **runner as _)
        .collect();
    if !expected.is_empty() {
        all.push(&mut file);
    }
    let (mut given, mut skipped, mut first) = (Vec::new(), Vec::new(), None);
    for runner in all {
        let name = runner.name().to_string();
        match runner.run(&inputs) {
            Ok(outputs) => given.push(Given {
                name,
                kind: runner.kind(),
                unit: runner.unit(),
                outputs,
            }),
            Err(error) if error.is_input() => return Err(error),
            Err(error) => {
                skipped.push(Skipped {
                    runner: name,
                    reason: error.to_string(),
                });
                first.get_or_insert(error);
            }
        }
    }
    if given.len() < 2 {
        let names: Vec<_> = given.iter().map(|g| g.name.as_str()).collect();
        return Err(first.unwrap_or_else(|| {
            Error::TooFew(match names.as_slice() {
                [one] => format!("there is only `{one}`"),
                _ => "there is no runner".to_string(),
            })
        }));
    }
    if let Some(ruling) = allowance.ruling() {
        let exact = Given {
            name: referee::NAME.to_string(),
            kind: Kind::Referee,
            unit: None,
            outputs: ruling.exact.clone(),
        };
        given.insert(0, exact);
    }
    let mut pairs = Vec::new();
    for (i, a) in given.iter().enumerate() {
        for b in &given[i + 1..] {
            pair(a, b, &mask, allowance, &mut pairs);
        }
    }
    // One output after the other, not one pair after the other.
    pairs.sort_by(|x, y| order(&x.output).cmp(&order(&y.output)));
    let alone = alone(&given, &pairs);
    Ok(Report::new(
        given.into_iter().map(|g| g.name).collect(),
        pairs,
        skipped,
        alone,
    ))
}

/// [`compare()`] on several inputs: of each output of each pair the worst case stays, and its
/// `case` names it.
///
/// # Errors
/// As [`compare()`].
pub fn compare_cases(
    runners: &mut [Box<dyn Runner>],
    cases: &[Case],
    tolerance: Option<f64>,
) -> Result<Report> {
    merged(cases, |_, inputs| compare(runners, inputs, tolerance))
}

/// [`compare_cases()`] with the referee's `rulings`, one for each case, as one more runner; what
/// is allowed follows from the noise that it measured.
///
/// # Errors
/// As [`compare()`].
pub fn compare_refereed(
    runners: &mut [Box<dyn Runner>],
    cases: &[Case],
    rulings: &[Ruling],
) -> Result<Report> {
    merged(cases, |i, inputs| match rulings.get(i) {
        Some(ruling) => judged(runners, inputs, &Allowance::Measured(ruling)),
        None => compare(runners, inputs, None),
    })
}

/// [`compare_refereed()`], and every two values that differ by more than `close` allows them
/// differ, whatever the referee says; `rulings` may be none.
///
/// # Errors
/// As [`compare()`].
pub fn compare_close(
    runners: &mut [Box<dyn Runner>],
    cases: &[Case],
    rulings: &[Ruling],
    close: Close,
) -> Result<Report> {
    merged(cases, |i, inputs| {
        judged(runners, inputs, &Allowance::Close(close, rulings.get(i)))
    })
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
        match &mut merged {
            Some(merged) => merged.merge(report),
            None => merged = Some(report),
        }
    }
    merged.ok_or_else(|| Error::TooFew("there are no inputs".to_string()))
}

/// Every output of one pair.
fn pair(a: &Given, b: &Given, mask: &Mask, allowance: &Allowance<'_>, pairs: &mut Vec<Pair>) {
    let noise = |output: &str| {
        let ruling = allowance.ruling()?;
        let noise = ruling.noise.get(output).copied().unwrap_or_default();
        // Fewer digits, more noise.
        let coarser = |given: &Given| given.unit.unwrap_or(ruling.unit) / ruling.unit;
        Some(noise * coarser(a).max(coarser(b)).max(1.0))
    };
    let tolerance = |output: &str| match (allowance, noise(output)) {
        (Allowance::Close(..), noise) => Tolerance::close(noise),
        (_, Some(noise)) => Tolerance::measured(a.kind, b.kind, noise),
        (Allowance::Fixed(given), None) => Tolerance::between(a.kind, b.kind, *given),
        (Allowance::Measured(_), None) => Tolerance::between(a.kind, b.kind, None),
    };
    let mut add = |output: &str, found: Difference| {
        let mut pair = Pair::new(&a.name, &b.name, output, found, &tolerance(output));
        if let Allowance::Close(close, _) = allowance {
            let kept = |data: &TensorData| mask.of_output(output, data.shape().as_slice());
            let excess = match (a.outputs.get(output), b.outputs.get(output)) {
                (Some(left), Some(right)) if !pair.scaled.is_infinite() => {
                    excess(left, right, kept(left).as_deref(), *close)
                }
                _ => f64::INFINITY,
            };
            pair.agrees = excess <= 1.0;
            pair.excess = Some(excess);
        }
        pairs.push(pair);
    };
    let before = a
        .outputs
        .keys()
        .filter(|name| b.outputs.contains_key(*name))
        .count();
    if before == 0 {
        return add(
            "-",
            Difference::unmeasured("no output in common".to_string()),
        );
    }
    for (name, left) in &a.outputs {
        match b.outputs.get(name) {
            Some(right) => {
                let kept = mask.of_output(name, left.shape().as_slice());
                let logits = name.ends_with("logits");
                add(name, difference(left, right, kept.as_deref(), logits));
            }
            None if b.kind.owes(a.kind) => add(name, missing(&b.name)),
            None => {}
        }
    }
    for name in b
        .outputs
        .keys()
        .filter(|name| !a.outputs.contains_key(*name))
    {
        if a.kind.owes(b.kind) {
            add(name, missing(&a.name));
        }
    }
}

fn missing(runner: &str) -> Difference {
    Difference::unmeasured(format!("`{runner}` gives no such output"))
}

/// The outputs that are in no pair.
fn alone(given: &[Given], pairs: &[Pair]) -> Vec<Alone> {
    let mut names: Vec<_> = given.iter().flat_map(|g| g.outputs.keys()).collect();
    names.sort_by_key(|name| order(name));
    names.dedup();
    names
        .into_iter()
        .filter(|name| !pairs.iter().any(|pair| pair.output == **name))
        .map(|name| Alone {
            output: name.clone(),
            runners: given
                .iter()
                .filter(|g| g.outputs.contains_key(name))
                .map(|g| g.name.clone())
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
mod tests {
    #![allow(clippy::unwrap_used)]
    use burn::tensor::TensorData;

    use super::*;
    use crate::report::Verdict;

    /// Gives fixed outputs, or fails.
    struct Fixed(
        &'static str,
        Kind,
        std::result::Result<Tensors, &'static str>,
    );

    impl Runner for Fixed {
        fn name(&self) -> &str {
            self.0
        }
        fn kind(&self) -> Kind {
            self.1
        }
        fn run(&mut self, _: &Tensors) -> Result<Tensors> {
            self.2.clone().map_err(|e| Error::runner(self.0, e))
        }
    }

    const CPU: Kind = Kind::Backend { gpu: false };

    fn outputs(all: &[(&str, f32)]) -> std::result::Result<Tensors, &'static str> {
        Ok(all
            .iter()
            .map(|(n, v)| (n.to_string(), TensorData::new(vec![*v], [1])))
            .collect())
    }

    fn run(runners: Vec<Fixed>, inputs: &Tensors) -> Result<Report> {
        let mut runners: Vec<Box<dyn Runner>> = runners
            .into_iter()
            .map(|r| Box::new(r) as Box<dyn Runner>)
            .collect();
        compare(&mut runners, inputs, None)
    }

    #[test]
    fn every_pair_and_output_has_a_row() {
        let both = &[("logits", 1.0), ("present.0.key", 2.0)];
        let report = run(
            ["flex", "ndarray", "tract"]
                .map(|n| {
                    Fixed(
                        n,
                        if n == "tract" { Kind::Graph } else { CPU },
                        outputs(both),
                    )
                })
                .into(),
            &Tensors::new(),
        )
        .unwrap();
        assert_eq!((report.verdict, report.pairs.len()), (Verdict::Agree, 6));
        assert_eq!(report.pairs[0].output, report.pairs[1].output);
    }

    #[test]
    fn a_graph_need_not_give_all_that_a_backend_gives() {
        let report = run(
            vec![
                Fixed(
                    "flex",
                    CPU,
                    outputs(&[("logits", 1.0), ("last_hidden_state", 2.0)]),
                ),
                Fixed("tract", Kind::Graph, outputs(&[("logits", 1.0)])),
            ],
            &Tensors::new(),
        )
        .unwrap();
        assert_eq!(report.verdict, Verdict::Agree);
        assert_eq!(report.alone[0].output, "last_hidden_state");
        assert_eq!(report.alone[0].runners, ["flex"]);
    }

    #[test]
    fn an_output_that_is_owed_and_missing_is_a_difference() {
        let report = run(
            vec![
                Fixed("flex", CPU, outputs(&[("logits", 1.0)])),
                Fixed(
                    "tract",
                    Kind::Graph,
                    outputs(&[("logits", 1.0), ("pooler_output", 1.0)]),
                ),
            ],
            &Tensors::new(),
        )
        .unwrap();
        assert_eq!(report.verdict, Verdict::Differ);
        assert_eq!(
            report.pairs[1].note.as_deref(),
            Some("`flex` gives no such output")
        );
    }

    #[test]
    fn nothing_in_common_is_a_difference() {
        let report = run(
            vec![
                Fixed("flex", CPU, outputs(&[("last_hidden_state", 1.0)])),
                Fixed("tract", Kind::Graph, outputs(&[("other", 1.0)])),
            ],
            &Tensors::new(),
        )
        .unwrap();
        assert_eq!(report.verdict, Verdict::Differ);
    }

    #[test]
    fn expected_outputs_are_one_more_runner() {
        let inputs = Tensors::from([
            (
                "out.logits".to_string(),
                TensorData::new(vec![1.5_f32], [1]),
            ),
            ("out.greedy".to_string(), TensorData::new(vec![4_i64], [1])),
        ]);
        let report = run(
            vec![Fixed("flex", CPU, outputs(&[("logits", 1.0)]))],
            &inputs,
        )
        .unwrap();
        assert_eq!(report.runners, ["flex", "file"]);
        assert_eq!(report.verdict, Verdict::Differ);
        assert_eq!(report.pairs[0].max_abs, 0.5);
        assert_eq!(report.alone[0].output, "greedy");
    }

    #[test]
    fn who_fails_is_skipped_while_two_are_left() {
        let ok = |name| Fixed(name, CPU, outputs(&[("logits", 1.0)]));
        let bad = || Fixed("tract", Kind::Graph, Err("no such operation"));
        let report = run(vec![ok("flex"), bad(), ok("ndarray")], &Tensors::new()).unwrap();
        assert_eq!(report.verdict, Verdict::Agree);
        assert_eq!(report.skipped[0].reason, "tract: no such operation");
        let error = run(vec![ok("flex"), bad()], &Tensors::new()).unwrap_err();
        assert_eq!(error.to_string(), "tract: no such operation");
        let error = run(vec![ok("flex")], &Tensors::new())
            .unwrap_err()
            .to_string();
        assert!(error.contains("there is only `flex`"), "{error}");
    }

    #[test]
    fn numbers_in_names_sort_as_numbers() {
        let mut names = ["layers.10.h", "layers.9.h", "logits"];
        names.sort_by_key(|name| order(name));
        assert_eq!(names, ["layers.9.h", "layers.10.h", "logits"]);
    }
}
