//! What a search found, in a report.

use std::fmt;

use super::Location;
use crate::figures::times;
use crate::report::{Report, Verdict};
use crate::standing::Finding;

impl Report {
    /// Adds where runners part from the referee. A runner with a guilty part differs, and drifts
    /// at least, however small the effect is at its outputs.
    pub fn place(&mut self, locations: Vec<Location>) {
        for location in &locations {
            let Some(guilty) = location.guilty() else {
                continue;
            };
            self.verdict = Verdict::Differ;
            self.located.get_or_insert_with(|| guilty.path.clone());
            let own = |s: &&mut crate::standing::Standing| s.runner == location.runner;
            if let Some(standing) = self.standings.iter_mut().find(own)
                && standing.finding < Finding::Drift
            {
                standing.finding = Finding::Drift;
                standing.reason = format!(
                    "{} is off by {} times what rounding explains of it ({:.1e}); at the outputs that is within the whole model's rounding",
                    guilty.path,
                    times(guilty.times()),
                    guilty
                        .teacher_forced
                        .or(guilty.cumulative)
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
        match (self.guilty(), &self.note) {
            (Some(guilty), _) => {
                let node = self.node.as_ref().filter(|node| **node != guilty.path);
                let node = node.map(|node| format!(", node {node}"));
                write!(
                    f,
                    "{runner}: the difference begins in {}{}: {}it is off by {} times what rounding explains",
                    guilty.path,
                    node.unwrap_or_default(),
                    guilty
                        .teacher_forced
                        .map_or("", |_| "fed the referee's input, "),
                    times(guilty.times())
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
            let guilty = if part.guilty { "  GUILTY" } else { "" };
            write!(
                f,
                "\n  {:<42} {cumulative:>10} {own:>14} {:>9.1e}{guilty}",
                part.path, part.noise
            )?;
        }
        Ok(())
    }
}
