//! What a comparison found, as text of one screen.

use std::fmt;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use super::Convention;
use crate::format::{number, share, times};
use crate::report::assessment::Assessment;
use crate::report::{Pair, Report};

/// The most rows of outputs that are shown where the runners have assessments.
const FEW: usize = 6;
/// The most notes that are shown.
const NOTES: usize = 8;

impl Report {
    /// The pairs of two runners.
    pub fn between<'a>(&'a self, one: &'a str, other: &'a str) -> impl Iterator<Item = &'a Pair> {
        let both = move |pair: &&Pair| {
            (pair.a == one && pair.b == other) || (pair.a == other && pair.b == one)
        };
        self.pairs.iter().filter(both)
    }

    /// A row a runner: what the referee says of it, how far it writes the same text, how long it
    /// takes.
    fn runners_table(&self) -> Option<Table> {
        let (judged, written, timed) = (
            !self.assessments.is_empty(),
            !self.greedy.is_empty(),
            !self.timings.is_empty(),
        );
        if !judged && !written && !timed {
            return None;
        }
        let measured = self.timings.iter().any(|t| t.peak_bytes.is_some());
        let columns = [
            ("runner", true),
            ("finding", judged),
            ("worst output", judged),
            ("error", judged),
            ("noise", judged),
            ("times", judged),
            ("argmax", judged),
            ("same text", written),
            ("ms", timed),
            ("quartiles", timed),
            ("MB", measured),
        ];
        let mut table = plain(columns.iter().filter(|c| c.1).map(|c| c.0.to_string()), 3);
        for runner in &self.runners {
            let assessment = self.assessments.iter().find(|s| s.runner == *runner);
            let greedy = self.greedy.iter().find(|g| g.runner == *runner);
            let timing = self.timings.iter().find(|t| t.runner == *runner);
            if assessment.is_none() && greedy.is_none() && timing.is_none() {
                continue;
            }
            let of = |f: &dyn Fn(&Assessment) -> String| assessment.map_or("-".to_string(), f);
            let cells = [
                runner.clone(),
                of(&|s| s.finding.name().to_string()),
                of(&|s| s.output.clone()),
                of(&|s| number(s.error)),
                of(&|s| number(s.noise)),
                of(&|s| times(s.times)),
                of(&|s| share(s.argmax_agreement)),
                greedy.map_or("-".to_string(), |g| format!("{}/{}", g.common, g.of)),
                timing.map_or("-".to_string(), |t| format!("{:.1}", t.median_ms)),
                timing.map_or("-".to_string(), |t| {
                    format!("{:.1}-{:.1}", t.lower_ms, t.upper_ms)
                }),
                timing
                    .and_then(|t| t.peak_bytes)
                    .map_or("-".to_string(), |bytes| {
                        format!("{:.0}", bytes as f64 / 1e6)
                    }),
            ];
            let shown = cells.into_iter().zip(columns);
            table.add_row(shown.filter(|(_, (_, there))| *there).map(|(cell, _)| cell));
        }
        right_from(&mut table, if judged { 3 } else { 1 });
        Some(table)
    }

    /// The worst scaled difference of every two runners; `!` where they do not agree.
    fn matrix(&self) -> Option<Table> {
        if self.runners.len() < 3 {
            return None;
        }
        let last = self.runners.len() - 1;
        let header = (0..last).map(|i| (i + 1).to_string());
        let mut table = plain(["worst scaled".to_string()].into_iter().chain(header), 1);
        for (i, runner) in self.runners.iter().enumerate() {
            let cells = self.runners[..i]
                .iter()
                .map(|other| self.cell(runner, other));
            let name = format!("{} {runner}", i + 1);
            let empty = (i..last).map(|_| String::new());
            table.add_row([name].into_iter().chain(cells).chain(empty));
        }
        right_from(&mut table, 1);
        Some(table)
    }

    /// The worst difference of two runners, marked where they differ.
    pub fn cell(&self, one: &str, other: &str) -> String {
        let worst = self
            .between(one, other)
            .max_by(|x, y| x.scaled.total_cmp(&y.scaled));
        match worst {
            None => String::new(),
            Some(worst) => {
                let beyond = self.between(one, other).any(|pair| !pair.agrees);
                format!("{}{}", if beyond { "!" } else { "" }, number(worst.scaled))
            }
        }
    }

    /// What the numbers do not say, and who was left out.
    pub fn remarks(&self) -> Vec<String> {
        let mut said = Vec::new();
        for continued in &self.greedy {
            if let Some(note) = &continued.note {
                said.push(format!("{} writes nothing: {note}", continued.runner));
            }
        }
        if let Some(stress) = &self.stress {
            said.push(format!("hard inputs: {} sets", stress.cases.len()));
            let left = stress.left_out.iter();
            said.extend(left.map(|(case, reason)| format!("left out: {case}: {reason}")));
            if let Some(shrunk) = &stress.shrunk {
                let shapes = shrunk.shapes.iter();
                let shapes: Vec<_> = shapes
                    .map(|(name, shape)| format!("{name} {shape:?}"))
                    .collect();
                let (case, trials) = (&shrunk.case, shrunk.trials);
                said.push(format!(
                    "the smallest that still differ, of those {case} after {trials} trials: {}",
                    shapes.join(", ")
                ));
            }
        }
        // Assessments say it themselves.
        let unsaid = self
            .conventions
            .iter()
            .filter(|_| self.assessments.is_empty());
        said.extend(unsaid.map(|known| format!("convention: {}", Convention::message(known))));
        said.extend(self.arithmetic.iter().map(|one| one.message()));
        said.extend(self.alone.iter().map(|alone| alone.message()));
        let skipped = self.skipped.iter();
        said.extend(
            skipped.map(|skipped| format!("skipped: {}: {}", skipped.runner, skipped.reason)),
        );
        said
    }

    /// A row an output and pair.
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
                share(pair.argmax_agreement),
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

/// `1,16,3`.
fn index(at: &[usize]) -> String {
    at.iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(",")
}

/// A table without lines, 100 columns wide at most; the first `left` columns are texts.
fn plain(header: impl Iterator<Item = String>, left: usize) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(100)
        .set_header(header);
    for column in table.column_iter_mut() {
        column.set_padding((0, if column.index < left { 2 } else { 1 }));
    }
    table
}

/// Numbers stand on the right.
fn right_from(table: &mut Table, from: usize) {
    for column in table.column_iter_mut() {
        if column.index >= from {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

fn lines(f: &mut fmt::Formatter<'_>, table: &Table) -> fmt::Result {
    for line in table.lines() {
        writeln!(f, "{}", line.trim_end())?;
    }
    writeln!(f)
}

impl fmt::Display for Report {
    /// A row a runner and the matrix of them where there are assessments, otherwise a row an output
    /// and pair; the notes, who was left out, and the verdict on the last line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(table) = self.runners_table() {
            lines(f, &table)?;
        }
        let judged = !self.assessments.is_empty();
        if let Some(matrix) = self.matrix().filter(|_| judged) {
            lines(f, &matrix)?;
        }
        if !self.pairs.is_empty() && (!judged || self.pairs.len() <= FEW) {
            lines(f, &self.table())?;
        }
        let noted = |pair: &&Pair| pair.note.is_some();
        for pair in self.pairs.iter().filter(noted).take(NOTES) {
            writeln!(
                f,
                "{}: {}",
                pair.place(),
                pair.note.as_deref().unwrap_or_default()
            )?;
        }
        let noted = self.pairs.iter().filter(noted).count();
        if noted > NOTES {
            writeln!(f, "and {} notes more, in --json", noted - NOTES)?;
        }
        let mut tolerances: Vec<(&str, f64, f64)> = Vec::new();
        for pair in &self.pairs {
            let (reason, value) = (pair.tolerance_reason, pair.tolerance);
            let value = if pair.excess.is_some() {
                f64::NAN
            } else {
                value
            };
            match tolerances.iter_mut().find(|(known, ..)| *known == reason) {
                Some((_, low, high)) => (*low, *high) = (low.min(value), high.max(value)),
                None => tolerances.push((reason, value, value)),
            }
        }
        for (reason, low, high) in tolerances {
            match low == high {
                _ if low.is_nan() => writeln!(f, "tolerance: {reason}")?,
                true => writeln!(f, "tolerance {low:e} of scaled: {reason}")?,
                false => writeln!(f, "tolerances {low:.1e} to {high:.1e} of scaled: {reason}")?,
            }
        }
        for assessment in &self.assessments {
            let Assessment { runner, reason, .. } = assessment;
            writeln!(f, "{runner}: {}: {reason}", assessment.finding.name())?;
        }
        for location in &self.locations {
            writeln!(f, "{location}")?;
        }
        for remark in self.remarks() {
            writeln!(f, "{remark}")?;
        }
        write!(f, "{}", self.end())
    }
}
