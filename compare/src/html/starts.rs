//! Where runners part from the referee, part by part.

use std::fmt::Write;

use super::{escape, table};
use crate::locate::{Location, PartError};
use fluxo_verify::format::number;
use fluxo_verify::report::Report;

/// A sentence and a table of every runner that was located.
pub(super) fn starts(report: &Report) -> String {
    if report.locations.is_empty() {
        return String::new();
    }
    let told: String = report.locations.iter().map(one).collect();
    format!(
        "<h2>Where it starts</h2>{told}<p class=\"soft\">Cumulative: the error of a plain run. Teacher-forced: of the part fed the referee's input, so that what it only carries on does not count. Noise: what rounding explains of that.</p>"
    )
}

fn one(location: &Location) -> String {
    let told = location.to_string();
    let mut shown = format!("<p>{}</p>", escape(told.lines().next().unwrap_or_default()));
    if location.path.is_some() {
        let header = ["part", "cumulative", "teacher-forced", "noise"].map(str::to_string);
        let rows: Vec<Vec<String>> = location.parts.iter().map(row).collect();
        let id = format!("parts-{}", escape(&location.runner));
        let _ = write!(shown, "{}", table(&id, &header, &rows));
    }
    shown
}

fn row(part: &PartError) -> Vec<String> {
    let error = |error: Option<f64>| error.map_or("-".to_string(), number);
    let own = error(part.teacher_forced);
    vec![
        escape(&part.path),
        error(part.cumulative),
        if part.at_fault {
            format!(r#"<span class="bug">{own} !</span>"#)
        } else {
            own
        },
        number(part.noise),
    ]
}
