//! What a comparison found, for people and for programs.

use std::fmt;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use serde::Serialize;

use crate::diff::Difference;
use crate::standing::{Standing, standings};
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
    /// Who was asked and could not take part.
    pub skipped: Vec<Skipped>,
    /// Outputs that only some runners give, and need not be given by the others.
    pub alone: Vec<Alone>,
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

/// An output that had no counterpart, and needed none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Alone {
    /// The output.
    pub output: String,
    /// Who gives it.
    pub runners: Vec<String>,
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
            tolerance_reason: tolerance.reason,
            agrees: tolerance.allows(found.scaled),
            note: found.note,
            case: None,
        }
    }
}

impl Pair {
    /// The part of the tolerance that the difference takes.
    pub(crate) fn share(&self) -> f64 {
        match self.scaled == 0.0 {
            true => 0.0,
            false => self.scaled / self.tolerance,
        }
    }

    /// `logits between flex (a) and tract (b) at batch 3`.
    fn place(&self) -> String {
        let Self {
            output, a, b, case, ..
        } = self;
        let case = case.as_ref().map(|case| format!(" {case}"));
        format!(
            "{output} between {a} (a) and {b} (b){}",
            case.unwrap_or_default()
        )
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
            skipped,
            alone,
        }
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
        let merged = Self::new(
            std::mem::take(&mut self.runners),
            std::mem::take(&mut self.pairs),
            std::mem::take(&mut self.skipped),
            std::mem::take(&mut self.alone),
        );
        *self = merged;
    }

    fn table(&self) -> Table {
        let mut table = Table::new();
        let measured = self.pairs.iter().any(|pair| pair.noise.is_some());
        // The noise has a column where there is any.
        let row = |cells: [String; 10]| {
            let cells = cells.into_iter().enumerate();
            cells.filter_map(move |(i, cell)| (i != NOISE || measured).then_some(cell))
        };
        let header = [
            "output", "pair", "max abs", "scaled", "noise", "max rel", "at", "cosine", "argmax", "",
        ];
        table
            .load_style(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(100)
            .set_header(row(header.map(str::to_string)));
        for pair in &self.pairs {
            table.add_row(row([
                pair.output.clone(),
                format!("{} {}", pair.a, pair.b),
                number(pair.max_abs),
                number(pair.scaled),
                pair.noise.map_or("-".to_string(), number),
                number(pair.max_rel),
                index(&pair.at),
                if pair.cosine.is_nan() {
                    "-".to_string()
                } else {
                    format!("{:.6}", pair.cosine)
                },
                pair.argmax_agreement
                    .map_or("-".to_string(), |share| format!("{:.1}%", share * 100.0)),
                if pair.agrees { "agree" } else { "DIFFER" }.to_string(),
            ]));
        }
        let last = if measured { 9 } else { 8 };
        for column in table.column_iter_mut() {
            column.set_padding((0, 1));
            if (2..last).contains(&column.index) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table
    }
}

/// The place of the noise among the columns.
const NOISE: usize = 4;

/// `6.0e-7`, `0`, or what no number says.
fn number(value: f64) -> String {
    match value {
        v if v.is_nan() || v.is_infinite() => "-".to_string(),
        0.0 => "0".to_string(),
        v => format!("{v:.1e}"),
    }
}

/// `1,16,3`.
fn index(at: &[usize]) -> String {
    at.iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(",")
}

impl fmt::Display for Report {
    /// One row an output and pair, the notes, who was left out, and the verdict on the last line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in self.table().lines() {
            writeln!(f, "{}", line.trim_end())?;
        }
        writeln!(f)?;
        for pair in &self.pairs {
            if let Some(note) = &pair.note {
                writeln!(f, "{}: {note}", pair.place())?;
            }
        }
        let mut tolerances: Vec<(&str, f64, f64)> = Vec::new();
        for pair in &self.pairs {
            let (reason, value) = (pair.tolerance_reason, pair.tolerance);
            match tolerances.iter_mut().find(|(known, ..)| *known == reason) {
                Some((_, low, high)) => (*low, *high) = (low.min(value), high.max(value)),
                None => tolerances.push((reason, value, value)),
            }
        }
        for (reason, low, high) in tolerances {
            match low == high {
                true => writeln!(f, "tolerance {low:e} of scaled: {reason}")?,
                false => writeln!(f, "tolerances {low:.1e} to {high:.1e} of scaled: {reason}")?,
            }
        }
        for standing in &self.standings {
            let Standing { runner, reason, .. } = standing;
            writeln!(f, "{runner}: {}: {reason}", standing.finding.name())?;
        }
        for alone in &self.alone {
            writeln!(
                f,
                "not compared: {} (given by {} only)",
                alone.output,
                alone.runners.join(", ")
            )?;
        }
        for skipped in &self.skipped {
            writeln!(f, "skipped: {}: {}", skipped.runner, skipped.reason)?;
        }
        let beyond = self.pairs.iter().filter(|pair| !pair.agrees).count();
        let failed = self
            .skipped
            .iter()
            .find(|skipped| self.runners.contains(&skipped.runner));
        if let Some(failed) = failed.filter(|_| beyond == 0) {
            return write!(
                f,
                "differ: {} runs some inputs and fails on others",
                failed.runner
            );
        }
        match (self.verdict, self.worst()) {
            (Verdict::Agree, Some(worst)) => write!(
                f,
                "agree: {}; at most {} ({})",
                self.runners.join(", "),
                number(worst.scaled),
                worst.place()
            ),
            (Verdict::Differ, Some(worst)) => write!(
                f,
                "differ: {beyond} of {} comparisons; the worst is {}",
                self.pairs.len(),
                worst.place()
            ),
            (_, None) => write!(f, "differ: nothing was compared"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::decisions::Decisions;

    fn pair(output: &str, scaled: f64, note: Option<&str>) -> Pair {
        let found = Difference {
            max_abs: scaled * 2.0,
            max_rel: if scaled.is_finite() { 0.5 } else { scaled },
            scaled,
            at: vec![1, 16, 3],
            cosine: if scaled.is_finite() {
                0.9999999
            } else {
                f64::NAN
            },
            decisions: (output == "logits").then_some(Decisions {
                argmax_agreement: 1.0,
                top_overlap: 1.0,
                kl: 2e-9,
            }),
            note: note.map(str::to_string),
        };
        let tolerance = Tolerance {
            noise: None,
            value: 2e-5,
            reason: "float32 on CPUs: the same sums in another order",
        };
        Pair::new("flex", "tract", output, found, &tolerance)
    }

    fn report(pairs: Vec<Pair>) -> Report {
        let skipped = vec![Skipped {
            runner: "ort".into(),
            reason: "not installed".into(),
        }];
        let alone = vec![Alone {
            output: "last_hidden_state".into(),
            runners: vec!["flex".into()],
        }];
        Report::new(vec!["flex".into(), "tract".into()], pairs, skipped, alone)
    }

    #[test]
    fn json_has_the_designs_shape() {
        let json = serde_json::to_string_pretty(&report(vec![
            pair("logits", 1.5e-6, None),
            pair(
                "present.0.key",
                f64::INFINITY,
                Some("`tract` gives no such output"),
            ),
        ]))
        .unwrap();
        assert_eq!(
            json,
            include_str!("../tests/fixtures/report.json").trim_end()
        );
    }

    #[test]
    fn the_table_fits_in_a_hundred_columns() {
        let mut many = vec![pair("logits", 1.5e-6, None)];
        many.extend((0..12).map(|i| pair(&format!("present.{i}.value"), 1e-7, None)));
        let text = report(many).to_string();
        assert!(
            text.lines().all(|line| line.chars().count() <= 100),
            "{text}"
        );
        // One row an output: 13, the header, an empty line, a tolerance, not compared, skipped, verdict.
        assert_eq!(text.lines().count(), 19, "{text}");
        assert_eq!(
            text.lines().last().unwrap(),
            "agree: flex, tract; at most 1.5e-6 (logits between flex (a) and tract (b))"
        );
    }

    #[test]
    fn one_pair_beyond_its_tolerance_is_a_difference() {
        let report = report(vec![
            pair("logits", 2.1e-5, None),
            pair("other", 1e-9, None),
        ]);
        assert_eq!(report.verdict, Verdict::Differ);
        assert!(report.to_string().ends_with(
            "differ: 1 of 2 comparisons; the worst is logits between flex (a) and tract (b)"
        ));
    }

    #[test]
    fn failing_on_some_inputs_is_a_difference() {
        let mut all = report(vec![pair("logits", 1e-6, None)]);
        let mut other = all.clone();
        other.skipped = vec![Skipped {
            runner: "tract".into(),
            reason: "at [3, 17]: no".into(),
        }];
        all.merge(other);
        assert_eq!(all.verdict, Verdict::Differ);
        assert!(
            all.to_string()
                .ends_with("differ: tract runs some inputs and fails on others")
        );
    }

    #[test]
    fn nothing_compared_is_not_agreement() {
        assert_eq!(report(Vec::new()).verdict, Verdict::Differ);
    }

    #[test]
    fn merging_keeps_the_worse() {
        let mut all = report(vec![pair("logits", 1e-6, None)]);
        all.merge(report(vec![
            pair("logits", 3e-5, Some("at [3, 17]")),
            pair("other", 0.0, None),
        ]));
        assert_eq!(all.pairs.len(), 2);
        assert_eq!(all.pairs[0].scaled, 3e-5);
        assert_eq!((all.verdict, all.skipped.len()), (Verdict::Differ, 1));
    }
}
