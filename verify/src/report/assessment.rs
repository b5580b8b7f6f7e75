//! What the referee says of each runner.

use serde::Serialize;

use crate::diff::tolerance::{FLOOR, LEAST, MARGIN};
use crate::report::Pair;
use crate::{format, reference};

/// Off by no more than this many times the noise (64), with every decision the same, a runner drifts:
/// another algorithm for an exponential, or sums in fewer bits. A wrong weight is off by hundreds of
/// times. What is within its tolerance, 4 times the noise or 16 on a GPU, is no more than noise.
pub const DRIFT: f64 = 16.0 * MARGIN;

/// How a runner's outputs stand to the exact ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// As near as its precision allows.
    Same,
    /// Off by what rounding explains.
    Noise,
    /// As near as that under another convention than the checkpoint's
    /// ([`Convention`](super::Convention)).
    Convention,
    /// Off by more than rounding explains, and still deciding the same.
    Drift,
    /// It computes something else.
    Bug,
}

impl Severity {
    /// The word that reports show.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Noise => "noise",
            Self::Convention => "convention",
            Self::Drift => "drift",
            Self::Bug => "bug",
        }
    }
}

/// The referee's word on one runner.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Assessment {
    /// The runner.
    pub runner: String,
    /// The word.
    pub finding: Severity,
    /// The output that is furthest off for its noise.
    pub output: String,
    /// Its distance from the exact one, scaled.
    pub error: f64,
    /// What rounding explains of it.
    pub noise: f64,
    /// How many times the noise the distance is. The noise counts as [`FLOOR`] / [`MARGIN`] at least, so
    /// that nobody is blamed below the floor.
    pub times: f64,
    /// The least share of rows with the same largest entry; logits only.
    pub argmax_agreement: Option<f64>,
    /// Why, in a sentence.
    pub reason: String,
}

/// The assessment of every runner that was compared with the exact outputs.
pub(crate) fn assessments(pairs: &[Pair]) -> Vec<Assessment> {
    let judged = |pair: &&Pair| pair.a == reference::NAME;
    let mut found: Vec<Assessment> = Vec::new();
    let mut names: Vec<&str> = Vec::new();
    for pair in pairs.iter().filter(judged) {
        if !names.contains(&pair.b.as_str()) {
            names.push(&pair.b);
        }
    }
    for name in names {
        let own: Vec<&Pair> = pairs
            .iter()
            .filter(judged)
            .filter(|pair| pair.b == name)
            .collect();
        let worst = own.iter().max_by(|x, y| x.share().total_cmp(&y.share()));
        if let Some(worst) = worst {
            found.push(assessment(name, worst, &own));
        }
    }
    found
}

fn assessment(runner: &str, worst: &Pair, own: &[&Pair]) -> Assessment {
    let decisions = own.iter().filter_map(|pair| pair.argmax_agreement);
    let argmax_agreement = decisions.reduce(f64::min);
    let decided = argmax_agreement.is_none_or(|share| share == 1.0);
    let least = FLOOR / MARGIN;
    let times = worst.scaled / worst.noise.unwrap_or_default().max(least);
    let finding = if !worst.scaled.is_finite() {
        Severity::Bug
    } else if own.iter().all(|pair| pair.agrees && pair.scaled <= LEAST) {
        Severity::Same
    } else if own.iter().all(|pair| pair.agrees) {
        Severity::Noise
    } else if times <= DRIFT && decided {
        Severity::Drift
    } else {
        Severity::Bug
    };
    let place = &worst.output;
    let case = worst.case.as_ref().map(|case| format!(" {case}"));
    let case = case.unwrap_or_default();
    let share = |share: f64| format!("{:.1} % of the decisions differ", 100.0 * (1.0 - share));
    let given = own.iter().any(|pair| pair.excess.is_some());
    let beyond = if given { ", beyond what was given" } else { "" };
    let reason = match (finding, &worst.note) {
        (Severity::Noise, _) if given => {
            format!(
                "{place}{case} is off by {} times what rounding explains, within what was given",
                format::times(times)
            )
        }
        (Severity::Bug, Some(note)) => format!("{place}{case}: {note}"),
        // A convention gives its own reason ([`Report::follow`](crate::Report)).
        (Severity::Same | Severity::Convention, _) => {
            "within two units of the last place of the exact outputs".to_string()
        }
        (Severity::Noise, _) => {
            format!("{place}{case} is off by {times:.1} times what rounding alone explains: noise")
        }
        (Severity::Drift, _) => format!(
            "{place}{case} is off by {} times what rounding explains{beyond}, and every decision is the same",
            format::times(times)
        ),
        (Severity::Bug, None) => {
            let decisions = argmax_agreement.filter(|share| *share < 1.0).map(share);
            let decisions = decisions.map(|said| format!(", and {said}"));
            format!(
                "{place}{case} is off by {} times what rounding explains{beyond}{}",
                format::times(times),
                decisions.unwrap_or_default()
            )
        }
    };
    Assessment {
        runner: runner.to_string(),
        finding,
        output: worst.output.clone(),
        error: worst.scaled,
        noise: worst.noise.unwrap_or_default(),
        times,
        argmax_agreement,
        reason,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::Tensors;
    use burn::tensor::TensorData;

    use super::*;
    use crate::Case;
    use crate::Judging;
    use crate::diff::{AllClose, Rounding};
    use crate::reference::{Noise, Reference};
    use crate::report::Report;
    use crate::runner::{Kind, Label, Runner};

    struct Fixed(Label, TensorData);

    impl Runner for Fixed {
        fn label(&self) -> &Label {
            &self.0
        }
        fn run(&mut self, _: &Tensors) -> crate::Result<Tensors> {
            Ok(Tensors::from([("y".to_string(), self.1.clone())]))
        }
    }

    fn fixed(name: &str, gives: TensorData) -> Fixed {
        Fixed(Label::new(name, Kind::Backend { gpu: false }), gives)
    }

    /// The assessment of a runner that gives `given` where 1 and 2 are exact, with noise 1e-6.
    fn stands(given: TensorData) -> Assessment {
        standing_of(given, |runners, case, reference| {
            crate::compare(runners, &[case], &Judging::measured(&[reference]))
        })
    }

    fn standing_of(
        given: TensorData,
        compare: impl Fn(&mut [Box<dyn Runner>], Case, Reference) -> crate::Result<Report>,
    ) -> Assessment {
        let exact = TensorData::new(vec![1.0_f64, 2.0], [2]);
        let noise = Rounding::of_output(1e-6);
        let reference = Reference::new(
            Tensors::from([("y".to_string(), exact.clone())]),
            Noise::from([("y".to_string(), noise)]),
            fluxo_backends::kernels::unit(burn::tensor::DType::F32),
        );
        let mut runners: Vec<Box<dyn Runner>> = vec![
            Box::new(fixed("right", exact)),
            Box::new(fixed("other", given)),
        ];
        let case = ("here".to_string(), Tensors::new());
        let report = compare(&mut runners, case, reference).unwrap();
        let agrees = !matches!(
            report.assessments[1].finding,
            Severity::Bug | Severity::Drift
        );
        assert_eq!(report.agrees(), agrees, "{report}");
        report.assessments[1].clone()
    }

    /// The severity of a runner that gives `given` in turn for cases whose exact logits are 1.99999
    /// and 2, with noise 1e-6.
    fn decided(given: &[[f64; 2]]) -> Severity {
        let logits = |values: [f64; 2]| {
            let data = TensorData::new(values.to_vec(), [1, 2]);
            Tensors::from([("logits".to_string(), data)])
        };
        let label = Label::new("other", Kind::Backend { gpu: false });
        let outputs = given.iter().map(|values| Ok(logits(*values)));
        let other = crate::runner::Replay::given(label, outputs.collect());
        let exact = [1.99999, 2.0];
        let right = Label::new("right", Kind::Backend { gpu: false });
        let outputs = given.iter().map(|_| Ok(logits(exact)));
        let right = crate::runner::Replay::given(right, outputs.collect());
        let noise = Noise::from([("logits".to_string(), Rounding::of_output(1e-6))]);
        let unit = fluxo_backends::kernels::unit(burn::tensor::DType::F32);
        let reference = Reference::new(logits(exact), noise, unit);
        let references = vec![reference; given.len()];
        let cases = given.iter().enumerate();
        let cases: Vec<Case> = cases
            .map(|(i, _)| (format!("at {i}"), Tensors::new()))
            .collect();
        let mut runners: Vec<Box<dyn Runner>> = vec![Box::new(right), Box::new(other)];
        let judging = Judging::measured(&references);
        let report = crate::compare(&mut runners, &cases, &judging).unwrap();
        report.assessments[1].finding
    }

    #[test]
    fn a_decision_that_differs_is_a_bug_in_whichever_case_it_does() {
        // 20 times the noise, and the same decision; 10 times, and another one.
        let (drifts, flips) = ([1.99999, 2.00004], [2.00001, 2.0]);
        assert_eq!(decided(&[drifts]), Severity::Drift);
        assert_eq!(decided(&[flips]), Severity::Bug);
        assert_eq!(decided(&[drifts, flips]), Severity::Bug);
        assert_eq!(decided(&[flips, drifts]), Severity::Bug);
    }

    #[test]
    fn findings_by_hand() {
        // Scaled by the magnitude 2: 1e-7, 2e-6 (twice the noise), 2e-5 (20 times) and 2e-3.
        for (off, finding) in [
            (2e-7, Severity::Same),
            (4e-6, Severity::Noise),
            (4e-5, Severity::Drift),
            (4e-3, Severity::Bug),
        ] {
            let given = TensorData::new(vec![1.0, 2.0 + off], [2]);
            let assessment = stands(given);
            assert_eq!(
                assessment.finding, finding,
                "{off:e}: {}",
                assessment.reason
            );
        }
    }

    #[test]
    fn what_was_given_decides_and_is_named() {
        for (atol, told) in [
            (1e-9, "beyond what was given"),
            (1e-5, "within what was given"),
        ] {
            let close = AllClose::new(atol, 0.0).unwrap();
            // Half the noise at a magnitude of 2.
            let given = TensorData::new(vec![1.0, 2.0 + 1e-6], [2]);
            let assessment = standing_of(given, |runners, case, reference| {
                crate::compare(
                    runners,
                    &[case],
                    &Judging {
                        close: Some(close),
                        ..Judging::measured(&[reference])
                    },
                )
            });
            let reason = format!("y is off by 0.5 times what rounding explains, {told}");
            assert!(
                assessment.reason.starts_with(&reason),
                "{}",
                assessment.reason
            );
        }
    }

    #[test]
    fn what_no_number_measures_is_reported_as_what_it_is() {
        for (given, needle) in [
            (
                TensorData::new(vec![1.0, f64::NAN], [2]),
                "NaN only in b: 1 of 2",
            ),
            (
                TensorData::new(vec![f64::INFINITY, 2.0], [2]),
                "infinite on one side: 1 of 2",
            ),
            (
                TensorData::new(Vec::<f64>::new(), [0]),
                "shapes differ: [2] and [0]",
            ),
            (
                TensorData::new(vec![1.0_f64, 2.0], [1, 2]),
                "shapes differ: [2] and [1, 2]",
            ),
            (
                TensorData::new(vec![1_i64, 3], [2]),
                "types differ: F64 and I64",
            ),
        ] {
            let assessment = stands(given);
            assert_eq!(assessment.finding, Severity::Bug);
            assert!(assessment.reason.contains(needle), "{}", assessment.reason);
        }
        // Integers that are right are right, and noted.
        assert_eq!(
            stands(TensorData::new(vec![1_i64, 2], [2])).finding,
            Severity::Same
        );
    }
}
