//! What a comparison found, for people and for programs.

use serde::Serialize;

mod arithmetic;
mod assessment;
mod conclusion;
mod convention;
mod generation;
mod location;
mod pair;
mod stress;
mod text;
mod timing;

pub use crate::skipped::Skipped;
pub use arithmetic::Arithmetic;
pub use assessment::{Assessment, DRIFT, Severity};
pub use conclusion::{Conclusion, Outcome, Unable};
pub use convention::Convention;
pub use generation::GenerationMatch;
pub use location::{Location, PartError};
pub(crate) use pair::NO_OUTPUT;
pub use pair::Pair;
pub use stress::{Shrunk, Stress};
pub use timing::Timing;

use assessment::assessments;

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
    #[serde(rename = "standings")]
    pub assessments: Vec<Assessment>,
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
    pub alone: Vec<UnmatchedOutput>,
    /// How far each runner writes the same text, where that was asked for.
    pub greedy: Vec<GenerationMatch>,
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
    /// Who computes with fewer digits than its type has.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub arithmetic: Vec<Arithmetic>,
}

/// An output that had no counterpart and needed none, or that the mask hides whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnmatchedOutput {
    /// The output.
    pub output: String,
    /// Who gives it.
    pub runners: Vec<String>,
}

impl UnmatchedOutput {
    /// What reports say of it.
    pub fn message(&self) -> String {
        let Self { output, runners } = self;
        match runners.len() {
            1 => format!("not compared: {output} (given by {} only)", runners[0]),
            _ => format!("not compared: {output} (the mask hides all of it)"),
        }
    }
}

impl Report {
    /// A report of `pairs`, with the verdict that follows from them.
    pub fn new(
        runners: Vec<String>,
        pairs: Vec<Pair>,
        skipped: Vec<Skipped>,
        alone: Vec<UnmatchedOutput>,
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
            assessments: assessments(&pairs),
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
            arithmetic: Vec::new(),
        }
    }

    /// Notes who follows another convention: what is then no more than noise is called that.
    pub fn follow(&mut self, conventions: Vec<Convention>) {
        for new in conventions {
            let same = |known: &&mut Convention| {
                (&known.runner, known.convention) == (&new.runner, new.convention)
            };
            match self.conventions.iter_mut().find(same) {
                Some(known) => known.cases.extend(new.cases),
                None => self.conventions.push(new),
            }
        }
        for assessment in &mut self.assessments {
            let mut own = self.conventions.iter();
            if let Some(convention) = own.find(|known| known.runner == assessment.runner)
                && assessment.finding <= Severity::Noise
            {
                assessment.finding = Severity::Convention;
                assessment.reason = convention.message();
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
    pub fn largest(&self) -> Option<&Pair> {
        let pairs = self.pairs.iter();
        pairs.max_by(|x, y| x.scaled.total_cmp(&y.scaled))
    }

    /// Adds what `other`, the same comparison of other inputs, found: of each output of each
    /// pair the worse stays. A runner that took part in one and failed in the other differs.
    pub fn merge(&mut self, other: Report) {
        for pair in other.pairs {
            let same = |p: &&mut Pair| p.a == pair.a && p.b == pair.b && p.output == pair.output;
            let Some(mine) = self.pairs.iter_mut().find(same) else {
                self.pairs.push(pair);
                continue;
            };
            // A decision that differs counts wherever it does, and not only where the error is largest.
            let both = [mine.argmax_agreement, pair.argmax_agreement];
            let fewest = both.into_iter().flatten().reduce(f64::min);
            if mine.share().total_cmp(&pair.share()).is_lt() {
                *mine = pair;
            }
            mine.argmax_agreement = fewest;
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
        let shown =
            |alone: &UnmatchedOutput| self.pairs.iter().any(|pair| pair.output == alone.output);
        self.alone.retain(|alone| !shown(alone));
        let conventions = std::mem::take(&mut self.conventions);
        let arithmetic = std::mem::take(&mut self.arithmetic);
        let mut merged = Self::new(
            std::mem::take(&mut self.runners),
            std::mem::take(&mut self.pairs),
            std::mem::take(&mut self.skipped),
            std::mem::take(&mut self.alone),
        );
        merged.follow(conventions);
        merged.follow(other.conventions);
        merged.computed(arithmetic);
        merged.computed(other.arithmetic);
        *self = merged;
    }
}

#[cfg(test)]
mod tests;
