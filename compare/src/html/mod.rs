//! What a comparison found, as one page that needs nothing else: no network, no script.

use std::collections::BTreeMap;
use std::fmt::Write;

use fluxo_models::Tensors;

use fluxo_verify::format::{number, share, times};
use fluxo_verify::report::{Pair, Report};

mod charts;
mod elements;
mod starts;

/// What a page shows beside the report.
pub struct Shown<'a> {
    /// What was compared.
    pub title: &'a str,
    /// The command that makes the page.
    pub command: &'a str,
    /// The inputs that the outputs are of.
    pub inputs: &'a Tensors,
    /// What each runner gave, by its name; the referee's among them where there is one.
    pub outputs: &'a BTreeMap<String, Tensors>,
}

/// The page of `report`, as HTML.
pub fn page(report: &Report, shown: &Shown<'_>) -> String {
    let mut page = String::new();
    let end = report.end();
    let verdict = end.outcome.name();
    let title = escape(shown.title);
    let _ = write!(
        page,
        r#"<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}: {verdict}</title><style>{}</style></head><body><h1>{title}</h1>"#,
        include_str!("style.css")
    );
    let class = verdict.replace(' ', "-");
    let _ = write!(
        page,
        r#"<p id="verdict" class="{class}">{}</p>"#,
        escape(&end.to_string())
    );
    let _ = write!(
        page,
        "<p class=\"soft\">Made by <code>{}</code></p>",
        escape(shown.command)
    );
    page += &findings(report);
    page += &matrix(report);
    page += &depth(report);
    page += &starts::starts(report);
    page += &elements::elements(report, shown);
    page += &notes(report);
    page.push_str("</body></html>\n");
    page
}

/// `text` where markup is read.
fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            letter => safe.push(letter),
        }
    }
    safe
}

/// A table with `id`; cells are markup.
fn table(id: &str, header: &[String], rows: &[Vec<String>]) -> String {
    let mut table = format!(r#"<div class="scroll"><table id="{id}"><thead><tr>"#);
    for cell in header {
        let _ = write!(table, "<th scope=\"col\">{cell}</th>");
    }
    table.push_str("</tr></thead><tbody>");
    for row in rows {
        table.push_str("<tr>");
        for (i, cell) in row.iter().enumerate() {
            let _ = match i {
                0 => write!(table, "<th scope=\"row\">{cell}</th>"),
                _ => write!(table, "<td>{cell}</td>"),
            };
        }
        table.push_str("</tr>");
    }
    table.push_str("</tbody></table></div>");
    table
}

/// A row a runner.
fn findings(report: &Report) -> String {
    let mut header = vec!["runner".to_string()];
    let titles = |all: &[&str]| all.iter().map(ToString::to_string).collect::<Vec<_>>();
    if !report.assessments.is_empty() {
        header.extend(titles(&[
            "finding",
            "worst output",
            "error",
            "noise",
            "times",
            "argmax",
        ]));
    }
    if !report.greedy.is_empty() {
        header.push("same text".to_string());
    }
    if !report.timings.is_empty() {
        header.extend(titles(&["median ms", "quartiles", "peak MB"]));
    }
    let mut rows = Vec::new();
    for runner in &report.runners {
        let mut row = vec![escape(runner)];
        if !report.assessments.is_empty() {
            match report.assessments.iter().find(|s| s.runner == *runner) {
                Some(s) => row.extend([
                    format!(r#"<span class="{0}">{0}</span>"#, s.finding.name()),
                    escape(&s.output),
                    number(s.error),
                    number(s.noise),
                    times(s.times),
                    share(s.argmax_agreement),
                ]),
                None => row.extend(titles(&["the referee", "", "", "", "", ""])),
            }
        }
        if !report.greedy.is_empty() {
            let own = report.greedy.iter().find(|g| g.runner == *runner);
            row.push(own.map_or(String::new(), |g| format!("{} of {}", g.common, g.of)));
        }
        if !report.timings.is_empty() {
            match report.timings.iter().find(|t| t.runner == *runner) {
                Some(t) => row.extend([
                    format!("{:.1}", t.median_ms),
                    format!("{:.1} to {:.1}", t.lower_ms, t.upper_ms),
                    t.peak_bytes
                        .map_or(String::new(), |b| format!("{:.0}", b as f64 / 1e6)),
                ]),
                None => row.extend(titles(&["", "", ""])),
            }
        }
        rows.push(row);
    }
    for skipped in &report.skipped {
        let mut row = vec![escape(&skipped.runner)];
        row.resize(header.len(), String::new());
        if let Some(cell) = row.get_mut(1) {
            *cell = "skipped".to_string();
        }
        rows.push(row);
    }
    let mut told = format!("<h2>Runners</h2>{}", table("findings", &header, &rows));
    for assessment in &report.assessments {
        let (name, reason) = (escape(&assessment.runner), escape(&assessment.reason));
        let finding = assessment.finding.name();
        let _ = write!(
            told,
            r#"<p class="soft"><b>{name}</b>: <span class="{finding}">{finding}</span>: {reason}</p>"#
        );
    }
    told
}

/// Every runner beside every other.
fn matrix(report: &Report) -> String {
    let names = report.runners.iter().map(|name| escape(name));
    let header: Vec<_> = ["worst scaled".to_string()]
        .into_iter()
        .chain(names)
        .collect();
    let row = |one: &String| {
        let cells = report
            .runners
            .iter()
            .map(|other| report.cell(one, other))
            .map(|cell| match cell.strip_prefix('!') {
                Some(number) => format!(r#"<span class="bug">{number} !</span>"#),
                None => cell,
            });
        [escape(one)].into_iter().chain(cells).collect()
    };
    let rows: Vec<Vec<String>> = report.runners.iter().map(row).collect();
    format!(
        "<h2>Pairs</h2>{}<p class=\"soft\">The largest difference of any output, divided by that output's largest magnitude where it is over 1; <span class=\"bug\">!</span> where the two do not agree.</p>",
        table("matrix", &header, &rows)
    )
}

/// `layers.3.h` and `decoder.layers.3.h` as stack and layer.
fn layer(output: &str) -> Option<(&str, usize)> {
    let (stack, rest) = match output.find("layers.") {
        Some(at) => output.split_at(at),
        None => return None,
    };
    let number = rest.strip_prefix("layers.")?.strip_suffix(".h")?;
    Some((stack.trim_end_matches('.'), number.parse().ok()?))
}

/// The pairs with the first of the runners, the referee where there is one, and the other's name.
fn with_first(report: &Report) -> impl Iterator<Item = (&str, &Pair)> {
    let first = report.runners.first().map_or("", String::as_str);
    report.pairs.iter().filter_map(move |pair| match first {
        _ if pair.a == first => Some((pair.b.as_str(), pair)),
        _ if pair.b == first => Some((pair.a.as_str(), pair)),
        _ => None,
    })
}

/// The number of a runner's colour: the same in every drawing.
fn series(report: &Report, runner: &str) -> usize {
    let place = report.runners.iter().position(|name| name == runner);
    place.unwrap_or(0).saturating_sub(1)
}

/// The error along the layers.
fn depth(report: &Report) -> String {
    let mut stacks: BTreeMap<&str, Vec<charts::Line>> = BTreeMap::new();
    for (runner, pair) in with_first(report) {
        let Some((stack, layer)) = layer(&pair.output) else {
            continue;
        };
        let lines = stacks.entry(stack).or_default();
        match lines.iter_mut().find(|line| line.name == runner) {
            Some(line) => line.points.push((layer, pair.scaled)),
            None => lines.push(charts::Line {
                name: runner.to_string(),
                series: series(report, runner),
                points: vec![(layer, pair.scaled)],
            }),
        }
    }
    let first = report.runners.first().map_or("", String::as_str);
    let mut told = "<h2>Error along depth</h2>".to_string();
    if stacks.is_empty() {
        told.push_str("<p class=\"soft\">Not measured; <code>--taps</code> compares what each layer gives.</p>");
    }
    for (stack, lines) in stacks {
        let place = if stack.is_empty() {
            "the layers"
        } else {
            stack
        };
        let Some(drawn) = charts::lines(&lines) else {
            let _ = write!(
                told,
                "<p class=\"soft\">In {} every layer of every runner is the same.</p>",
                escape(place)
            );
            continue;
        };
        let _ = write!(
            told,
            "<p class=\"soft\">{}: what each layer gives, from {}; scaled, a power of ten a line.</p>{drawn}<ul class=\"legend\">",
            escape(place),
            escape(first)
        );
        for line in &lines {
            let (colour, name) = (charts::colour(line.series), escape(&line.name));
            let _ = write!(told, "<li><i style=\"background:{colour}\"></i>{name}</li>");
        }
        told.push_str("</ul>");
    }
    told
}

/// Who was left out, and what the numbers do not say.
fn notes(report: &Report) -> String {
    let mut lines = Vec::new();
    for pair in &report.pairs {
        if let Some(note) = &pair.note {
            lines.push(format!("{}: {note}", pair.place()));
        }
    }
    lines.extend(report.remarks());
    if lines.is_empty() {
        return String::new();
    }
    let lines: Vec<_> = lines
        .iter()
        .map(|line| format!("<li>{}</li>", escape(line)))
        .collect();
    format!("<h2>Notes</h2><ul class=\"soft\">{}</ul>", lines.concat())
}

#[cfg(test)]
mod tests;
