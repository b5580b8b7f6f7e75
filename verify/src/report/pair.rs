//! One output of one pair of runners.

use serde::Serialize;

use crate::diff::Difference;
use crate::diff::tolerance::Tolerance;

/// One output of one pair of runners.
///
/// Numbers that cannot be given (a missing output, NaN on one side) are `null` in JSON, and
/// `note` says why.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pair {
    /// One runner.
    pub a: String,
    /// The other.
    pub b: String,
    /// The output.
    pub output: String,
    /// The largest absolute difference.
    pub max_abs: f64,
    /// The largest relative difference.
    pub max_rel: f64,
    /// The index of the largest absolute difference.
    pub at: Vec<usize>,
    /// The cosine between the two.
    pub cosine: f64,
    /// The share of rows with the same largest entry, of several inputs the least; logits only.
    pub argmax_agreement: Option<f64>,
    /// The share of the five largest entries that both have; logits only.
    pub top_overlap: Option<f64>,
    /// The divergence of `b`'s distribution from `a`'s, in nats; logits only.
    pub kl: Option<f64>,
    /// What the tolerance is for. Where the noise was measured, the largest difference in the row of
    /// the last axis that it explains least, divided by that row's largest magnitude where that is
    /// over 1; elsewhere `max_abs` divided so by the whole output's. `max_abs` and `at` are of the
    /// whole output always.
    pub scaled: f64,
    /// The largest `scaled` that still agrees.
    pub tolerance: f64,
    /// What rounding explains of `scaled`, where a referee measured it.
    pub noise: Option<f64>,
    /// The largest difference of two values in units of what `--atol` and `--rtol` allow them,
    /// where those were given; `tolerance` is `null` then.
    pub excess: Option<f64>,
    /// Where the tolerance comes from.
    pub tolerance_reason: &'static str,
    /// Whether it does.
    pub agrees: bool,
    /// What the numbers do not say.
    pub note: Option<String>,
    /// Which of several inputs these numbers are of: those that differ most.
    pub case: Option<String>,
}

impl Pair {
    pub(crate) fn new(
        a: &str,
        b: &str,
        output: &str,
        found: Difference,
        tolerance: &Tolerance,
    ) -> Self {
        Self {
            a: a.to_string(),
            b: b.to_string(),
            output: output.to_string(),
            max_abs: found.max_abs,
            max_rel: found.max_rel,
            at: found.at,
            cosine: found.cosine,
            argmax_agreement: found.decisions.map(|d| d.argmax_agreement),
            top_overlap: found.decisions.map(|d| d.top_overlap),
            kl: found.decisions.map(|d| d.kl),
            scaled: found.scaled,
            tolerance: tolerance.value,
            noise: tolerance.noise,
            excess: None,
            tolerance_reason: tolerance.reason,
            agrees: tolerance.allows(found.scaled),
            note: found.note,
            case: None,
        }
    }
}

/// The output of a pair that has none to compare.
pub(crate) const NO_OUTPUT: &str = "-";

impl Pair {
    /// The part of the tolerance that the difference takes.
    pub fn share(&self) -> f64 {
        match self.excess {
            Some(excess) => excess,
            None if self.scaled == 0.0 => 0.0,
            None => self.scaled / self.tolerance,
        }
    }

    /// `logits between flex (a) and tract (b) at batch 3`.
    pub fn place(&self) -> String {
        let Self {
            output, a, b, case, ..
        } = self;
        let case = case.as_ref().map(|case| format!(" {case}"));
        let case = case.unwrap_or_default();
        match output.as_str() {
            NO_OUTPUT => format!("the comparison of {a} (a) and {b} (b){case}"),
            _ => format!("{output} between {a} (a) and {b} (b){case}"),
        }
    }
}
