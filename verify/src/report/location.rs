//! What a search found, in a report.

use std::fmt;

use serde::Serialize;

use super::assessment::Severity;
use super::{Report, Verdict};
use crate::diff::tolerance::{PART_FLOOR, PART_MARGIN};
use crate::format::times;

/// One part of one runner.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PartError {
    /// Its path among the modules, layers in the order of the computation.
    pub path: String,
    /// Its error in a plain run: the distance from the referee's output in the row that rounding
    /// explains least, divided by the largest magnitude of that row. `None` where it cannot be
    /// seen.
    pub cumulative: Option<f64>,
    /// Its error where it reads what the referee's part reads.
    pub teacher_forced: Option<f64>,
    /// What rounding explains of that.
    pub noise: f64,
    /// Whether more than that is wrong.
    #[serde(rename = "guilty")]
    pub at_fault: bool,
}

impl PartError {
    /// The teacher-forced error, where there is none the cumulative one, in multiples of what
    /// rounding explains.
    pub fn noise_ratio(&self) -> f64 {
        let own = self.teacher_forced.or(self.cumulative);
        own.unwrap_or_default() / self.noise.max(PART_FLOOR / PART_MARGIN)
    }
}

/// Where one runner parts from the referee.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Location {
    /// The runner.
    pub runner: String,
    /// The innermost part at fault; `None` where rounding explains every part.
    pub path: Option<String>,
    /// The same in a file: the node that writes the part's output.
    pub node: Option<String>,
    /// The first point of the stream, in the order of the computation, at which the error of a
    /// plain run is more than rounding explains.
    pub tap: Option<String>,
    /// The parts that were looked at, in the order of the computation, level after level.
    pub parts: Vec<PartError>,
    /// How many parts were fed and measured, those of blocks that have nothing wrong among them.
    pub looked_at: usize,
    /// How many there were to look at; a file may not show all.
    pub of: usize,
    /// The largest teacher-forced error of a part that is not at fault, in multiples of what
    /// rounding explains.
    pub largest: f64,
    /// What could not be done, where something could not.
    pub note: Option<String>,
}

impl Location {
    /// Nothing yet of the runner `name`.
    pub fn of(name: &str) -> Self {
        Self {
            runner: name.to_string(),
            path: None,
            node: None,
            tap: None,
            parts: Vec::new(),
            looked_at: 0,
            of: 0,
            largest: 0.0,
            note: None,
        }
    }

    /// The part at fault.
    pub fn at_fault(&self) -> Option<&PartError> {
        let path = self.path.as_ref()?;
        self.parts.iter().find(|part| part.path == *path)
    }
}

impl Report {
    /// Adds where runners part from the referee. A runner with a part at fault differs, and drifts
    /// at least, however small the effect is at its outputs.
    pub fn place(&mut self, locations: Vec<Location>) {
        for location in &locations {
            let Some(at_fault) = location.at_fault() else {
                continue;
            };
            self.verdict = Verdict::Differ;
            self.located.get_or_insert_with(|| at_fault.path.clone());
            let own = |s: &&mut super::Assessment| s.runner == location.runner;
            if let Some(assessment) = self.assessments.iter_mut().find(own)
                && assessment.finding < Severity::Drift
            {
                assessment.finding = Severity::Drift;
                assessment.reason = format!(
                    "{} is off by {} times what rounding explains of it ({:.1e}); at the outputs that is within the whole model's rounding",
                    at_fault.path,
                    times(at_fault.noise_ratio()),
                    at_fault
                        .teacher_forced
                        .or(at_fault.cumulative)
                        .unwrap_or_default()
                );
            }
        }
        self.locations = locations;
    }
}

impl fmt::Display for Location {
    /// A sentence, and the parts that were looked at.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let runner = &self.runner;
        match (self.at_fault(), &self.note) {
            (Some(at_fault), _) => {
                let node = self.node.as_ref().filter(|node| **node != at_fault.path);
                let node = node.map(|node| format!(", node {node}"));
                write!(
                    f,
                    "{runner}: the difference begins in {}{}: {}it is off by {} times what rounding explains",
                    at_fault.path,
                    node.unwrap_or_default(),
                    at_fault
                        .teacher_forced
                        .map_or("", |_| "fed the referee's input, "),
                    times(at_fault.noise_ratio())
                )?;
                if let Some(tap) = &self.tap {
                    write!(f, "; the stream parts at {tap}")?;
                }
            }
            (None, Some(note)) => return write!(f, "{runner}: not located: {note}"),
            (None, None) if self.looked_at == 0 => {
                return write!(
                    f,
                    "{runner}: not located: it shows none of its parts by our names"
                );
            }
            (None, None) => {
                return write!(
                    f,
                    "{runner}: rounding explains every part that it shows, {} of {}; at most {:.1} times",
                    self.looked_at, self.of, self.largest
                );
            }
        }
        write!(
            f,
            "\n  {:<42} {:>10} {:>14} {:>9}",
            "part", "cumulative", "teacher-forced", "noise"
        )?;
        let number =
            |value: Option<f64>| value.map_or("-".to_string(), |value| format!("{value:.1e}"));
        for part in &self.parts {
            let (cumulative, own) = (number(part.cumulative), number(part.teacher_forced));
            let at_fault = if part.at_fault { "  GUILTY" } else { "" };
            write!(
                f,
                "\n  {:<42} {cumulative:>10} {own:>14} {:>9.1e}{at_fault}",
                part.path, part.noise
            )?;
        }
        Ok(())
    }
}
