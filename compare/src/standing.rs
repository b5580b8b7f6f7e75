//! What the referee says of each runner.

use serde::Serialize;

use crate::referee;
use crate::report::Pair;
use crate::verdict::{LEAST, MARGIN};

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
    /// How many times the noise the distance is; of noise at least what outputs are rounded by.
    pub times: f64,
    /// The least share of rows with the same largest entry; logits only.
    pub argmax_agreement: Option<f64>,
    /// Why, in a sentence.
    pub reason: String,
}

/// The standing of every runner that was compared with the exact outputs.
pub(crate) fn standings(pairs: &[Pair]) -> Vec<Standing> {
    let judged = |pair: &&Pair| pair.a == referee::NAME;
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
    let least = LEAST / MARGIN;
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
    let reason = match (finding, &worst.note) {
        (Finding::Noise, _) if given => {
            format!(
                "{place}{case} is off by {times:.1} times what rounding explains, within what was given"
            )
        }
        (Finding::Bug, Some(note)) => format!("{place}{case}: {note}"),
        (Finding::Same, _) => "within two units of the last place of the exact outputs".to_string(),
        (Finding::Noise, _) => {
            format!("{place}{case} is off by {times:.1} times what rounding alone explains: noise")
        }
        (Finding::Drift, _) => format!(
            "{place}{case} is off by {times:.0} times what rounding explains, and every decision is the same"
        ),
        (Finding::Bug, None) => {
            let decisions = argmax_agreement.filter(|share| *share < 1.0).map(share);
            let decisions = decisions.map(|said| format!(", and {said}"));
            format!(
                "{place}{case} is off by {times:.0} times what rounding explains{}",
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
