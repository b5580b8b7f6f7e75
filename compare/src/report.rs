//! What a comparison found, for people and for programs.

use serde::Serialize;

use crate::conclusion::Conclusion;
use crate::convention::Convention;
use crate::diff::Difference;
use crate::greedy::Continued;
use crate::locate::Location;
use crate::standing::{Finding, Standing, standings};
use crate::stress::Stress;
use crate::timing::Timing;
use crate::verdict::Tolerance;

/// Whether the runners computed the same thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Every output of every pair lies within its tolerance.
    Agree,
    /// At least one does not.
    Differ,
}

/// What a comparison found. As JSON it is the document that `fluxo compare --json` prints.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The answer.
    pub verdict: Verdict,
    /// Who took part.
    pub runners: Vec<String>,
    /// What the referee says of each, where there is one.
    pub standings: Vec<Standing>,
    /// Every output of every pair.
    pub pairs: Vec<Pair>,
    /// The module in which the difference begins, where it was looked for.
    pub located: Option<String>,
    /// Where each runner parts from the referee, where that was looked for.
    pub locations: Vec<Location>,
    /// Who was asked and could not take part.
    pub skipped: Vec<Skipped>,
    /// Outputs that only some runners give, and need not be given by the others; or that the mask
    /// hides whole.
    pub alone: Vec<Alone>,
    /// How far each runner writes the same text, where that was asked for.
    pub greedy: Vec<Continued>,
    /// How long each takes, where that was asked for.
    pub timings: Vec<Timing>,
    /// What hard inputs showed, where they were tried.
    pub stress: Option<Stress>,
    /// What it comes to, where that was said: [`Report::conclude`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conclusion: Option<Conclusion>,
    /// Who follows another convention than the checkpoint, and agrees with it under that.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conventions: Vec<Convention>,
}

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
    /// The share of rows with the same largest entry; logits only.
    pub argmax_agreement: Option<f64>,
    /// The share of the five largest entries that both have; logits only.
    pub top_overlap: Option<f64>,
    /// The divergence of `b`'s distribution from `a`'s, in nats; logits only.
    pub kl: Option<f64>,
    /// `max_abs` divided by the output's largest magnitude where that is over 1: what the
    /// tolerance is for.
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

/// A runner that could not take part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// Its name.
    pub runner: String,
    /// Why not.
    pub reason: String,
}

/// An output that had no counterpart and needed none, or that the mask hides whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Alone {
    /// The output.
    pub output: String,
    /// Who gives it.
    pub runners: Vec<String>,
}

impl Alone {
    /// What reports say of it.
    pub(crate) fn told(&self) -> String {
        let Self { output, runners } = self;
        match runners.len() {
            1 => format!("not compared: {output} (given by {} only)", runners[0]),
            _ => format!("not compared: {output} (the mask hides all of it)"),
        }
    }
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
    pub(crate) fn share(&self) -> f64 {
        match self.excess {
            Some(excess) => excess,
            None if self.scaled == 0.0 => 0.0,
            None => self.scaled / self.tolerance,
        }
    }

    /// `logits between flex (a) and tract (b) at batch 3`.
    pub(crate) fn place(&self) -> String {
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

impl Report {
    /// A report of `pairs`, with the verdict that follows from them.
    pub(crate) fn new(
        runners: Vec<String>,
        pairs: Vec<Pair>,
        skipped: Vec<Skipped>,
        alone: Vec<Alone>,
    ) -> Self {
        // Who ran some inputs and failed on others computes something else at those.
        let failed = skipped
            .iter()
            .any(|skipped| runners.contains(&skipped.runner));
        let agree = !failed && !pairs.is_empty() && pairs.iter().all(|pair| pair.agrees);
        let verdict = if agree {
            Verdict::Agree
        } else {
            Verdict::Differ
        };
        Self {
            verdict,
            standings: standings(&pairs),
            runners,
            pairs,
            located: None,
            locations: Vec::new(),
            skipped,
            alone,
            greedy: Vec::new(),
            timings: Vec::new(),
            stress: None,
            conclusion: None,
            conventions: Vec::new(),
        }
    }

    /// Notes who follows another convention: what is then no more than noise is called that.
    pub(crate) fn follow(&mut self, conventions: Vec<Convention>) {
        for new in conventions {
            let same = |known: &&mut Convention| {
                (&known.runner, known.convention) == (&new.runner, new.convention)
            };
            match self.conventions.iter_mut().find(same) {
                Some(known) => known.cases.extend(new.cases),
                None => self.conventions.push(new),
            }
        }
        for standing in &mut self.standings {
            let mut own = self.conventions.iter();
            if let Some(convention) = own.find(|known| known.runner == standing.runner)
                && standing.finding <= Finding::Noise
            {
                standing.finding = Finding::Convention;
                standing.reason = convention.told();
            }
        }
    }

    /// A report where too few of the runners ran: `ran` did, and `failed` did not.
    pub fn unrun(ran: Vec<String>, failed: Vec<Skipped>) -> Self {
        Self::new(ran, Vec::new(), failed, Vec::new())
    }

    /// Whether everything lies within its tolerance.
    pub fn agrees(&self) -> bool {
        self.verdict == Verdict::Agree
    }

    /// The pair that is furthest beyond its tolerance, or nearest to it.
    pub fn worst(&self) -> Option<&Pair> {
        self.pairs
            .iter()
            .max_by(|x, y| x.share().total_cmp(&y.share()))
    }

    /// The pair with the largest scaled difference.
    pub(crate) fn largest(&self) -> Option<&Pair> {
        let pairs = self.pairs.iter();
        pairs.max_by(|x, y| x.scaled.total_cmp(&y.scaled))
    }

    /// Adds what `other`, the same comparison of other inputs, found: of each output of each
    /// pair the worse stays. A runner that took part in one and failed in the other differs.
    pub(crate) fn merge(&mut self, other: Report) {
        for pair in other.pairs {
            let same = |p: &&mut Pair| p.a == pair.a && p.b == pair.b && p.output == pair.output;
            match self.pairs.iter_mut().find(same) {
                Some(mine) if mine.share().total_cmp(&pair.share()).is_lt() => *mine = pair,
                Some(_) => {}
                None => self.pairs.push(pair),
            }
        }
        for skipped in other.skipped {
            if self
                .skipped
                .iter()
                .all(|mine| mine.runner != skipped.runner)
            {
                self.skipped.push(skipped);
            }
        }
        for runner in other.runners {
            if !self.runners.contains(&runner) {
                self.runners.push(runner);
            }
        }
        // What one set of inputs hides another may show.
        let shown = |alone: &Alone| self.pairs.iter().any(|pair| pair.output == alone.output);
        self.alone.retain(|alone| !shown(alone));
        let conventions = std::mem::take(&mut self.conventions);
        let mut merged = Self::new(
            std::mem::take(&mut self.runners),
            std::mem::take(&mut self.pairs),
            std::mem::take(&mut self.skipped),
            std::mem::take(&mut self.alone),
        );
        merged.follow(conventions);
        merged.follow(other.conventions);
        *self = merged;
    }
}

#[cfg(test)]
mod tests;
