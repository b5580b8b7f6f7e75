//! What the referee says of each runner.

use serde::Serialize;

use crate::diff::tolerance::{FLOOR, LEAST, MARGIN};
use crate::report::Pair;
use crate::{format, reference};

/// Beyond rounding by no more than this factor, with every decision the same, a runner drifts:
/// another algorithm for an exponential, or sums in fewer bits. A wrong weight is hundreds of
/// times beyond.
pub const DRIFT: f64 = 16.0 * MARGIN;

/// How a runner's outputs stand to the exact ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Finding {
    /// As near as its precision allows.
    Same,
    /// Off by what rounding explains.
    Noise,
    /// As near as that under another convention than the checkpoint's
    /// ([`convention`](crate::convention)).
    Convention,
    /// Off by more than rounding explains, and still deciding the same.
    Drift,
    /// It computes something else.
    Bug,
}

impl Finding {
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
pub struct Standing {
    /// The runner.
    pub runner: String,
    /// The word.
    pub finding: Finding,
    /// The output that is furthest off for its noise.
    pub output: String,
    /// Its distance from the exact one, scaled.
    pub error: f64,
    /// What rounding explains of it.
    pub noise: f64,
    /// How many times the noise the distance is; of noise at least a quarter of what nobody is blamed for.
    pub times: f64,
    /// The least share of rows with the same largest entry; logits only.
    pub argmax_agreement: Option<f64>,
    /// Why, in a sentence.
    pub reason: String,
}

/// The standing of every runner that was compared with the exact outputs.
pub(crate) fn standings(pairs: &[Pair]) -> Vec<Standing> {
    let judged = |pair: &&Pair| pair.a == reference::NAME;
    let mut found: Vec<Standing> = Vec::new();
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
            found.push(standing(name, worst, &own));
        }
    }
    found
}

fn standing(runner: &str, worst: &Pair, own: &[&Pair]) -> Standing {
    let decisions = own.iter().filter_map(|pair| pair.argmax_agreement);
    let argmax_agreement = decisions.reduce(f64::min);
    let decided = argmax_agreement.is_none_or(|share| share == 1.0);
    let least = FLOOR / MARGIN;
    let times = worst.scaled / worst.noise.unwrap_or_default().max(least);
    let finding = if !worst.scaled.is_finite() {
        Finding::Bug
    } else if own.iter().all(|pair| pair.agrees && pair.scaled <= LEAST) {
        Finding::Same
    } else if own.iter().all(|pair| pair.agrees) {
        Finding::Noise
    } else if times <= DRIFT && decided {
        Finding::Drift
    } else {
        Finding::Bug
    };
    let place = &worst.output;
    let case = worst.case.as_ref().map(|case| format!(" {case}"));
    let case = case.unwrap_or_default();
    let share = |share: f64| format!("{:.1} % of the decisions differ", 100.0 * (1.0 - share));
    let given = own.iter().any(|pair| pair.excess.is_some());
    let beyond = if given { ", beyond what was given" } else { "" };
    let reason = match (finding, &worst.note) {
        (Finding::Noise, _) if given => {
            format!(
                "{place}{case} is off by {} times what rounding explains, within what was given",
                format::times(times)
            )
        }
        (Finding::Bug, Some(note)) => format!("{place}{case}: {note}"),
        // A convention gives its own reason ([`Report::follow`](crate::Report)).
        (Finding::Same | Finding::Convention, _) => {
            "within two units of the last place of the exact outputs".to_string()
        }
        (Finding::Noise, _) => {
            format!("{place}{case} is off by {times:.1} times what rounding alone explains: noise")
        }
        (Finding::Drift, _) => format!(
            "{place}{case} is off by {} times what rounding explains{beyond}, and every decision is the same",
            format::times(times)
        ),
        (Finding::Bug, None) => {
            let decisions = argmax_agreement.filter(|share| *share < 1.0).map(share);
            let decisions = decisions.map(|said| format!(", and {said}"));
            format!(
                "{place}{case} is off by {} times what rounding explains{beyond}{}",
                format::times(times),
                decisions.unwrap_or_default()
            )
        }
    };
    Standing {
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
    use crate::diff::{Close, Rounding};
    use crate::reference::{Noise, Ruling};
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

    /// The standing of a runner that gives `given` where 1 and 2 are exact, with noise 1e-6.
    fn stands(given: TensorData) -> Standing {
        standing_of(given, |runners, case, ruling| {
            crate::compare(runners, &[case], &Judging::measured(&[ruling]))
        })
    }

    fn standing_of(
        given: TensorData,
        compare: impl Fn(&mut [Box<dyn Runner>], Case, Ruling) -> crate::Result<Report>,
    ) -> Standing {
        let exact = TensorData::new(vec![1.0_f64, 2.0], [2]);
        let noise = Rounding::of_output(1e-6);
        let ruling = Ruling::new(
            Tensors::from([("y".to_string(), exact.clone())]),
            Noise::from([("y".to_string(), noise)]),
            fluxo_backends::kernels::unit(burn::tensor::DType::F32),
        );
        let mut runners: Vec<Box<dyn Runner>> = vec![
            Box::new(fixed("right", exact)),
            Box::new(fixed("other", given)),
        ];
        let case = ("here".to_string(), Tensors::new());
        let report = compare(&mut runners, case, ruling).unwrap();
        let agrees = !matches!(report.standings[1].finding, Finding::Bug | Finding::Drift);
        assert_eq!(report.agrees(), agrees, "{report}");
        report.standings[1].clone()
    }

    #[test]
    fn findings_by_hand() {
        // Scaled by the magnitude 2: 1e-7, 2e-6 (twice the noise), 2e-5 (20 times) and 2e-3.
        for (off, finding) in [
            (2e-7, Finding::Same),
            (4e-6, Finding::Noise),
            (4e-5, Finding::Drift),
            (4e-3, Finding::Bug),
        ] {
            let given = TensorData::new(vec![1.0, 2.0 + off], [2]);
            let standing = stands(given);
            assert_eq!(standing.finding, finding, "{off:e}: {}", standing.reason);
        }
    }

    #[test]
    fn what_was_given_decides_and_is_named() {
        for (atol, told) in [
            (1e-9, "beyond what was given"),
            (1e-5, "within what was given"),
        ] {
            let close = Close::new(atol, 0.0).unwrap();
            // Half the noise at a magnitude of 2.
            let given = TensorData::new(vec![1.0, 2.0 + 1e-6], [2]);
            let standing = standing_of(given, |runners, case, ruling| {
                crate::compare(
                    runners,
                    &[case],
                    &Judging {
                        close: Some(close),
                        ..Judging::measured(&[ruling])
                    },
                )
            });
            let reason = format!("y is off by 0.5 times what rounding explains, {told}");
            assert!(standing.reason.starts_with(&reason), "{}", standing.reason);
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
            let standing = stands(given);
            assert_eq!(standing.finding, Finding::Bug);
            assert!(standing.reason.contains(needle), "{}", standing.reason);
        }
        // Integers that are right are right, and noted.
        assert_eq!(
            stands(TensorData::new(vec![1_i64, 2], [2])).finding,
            Finding::Same
        );
    }
}
