//! `docs/modules.md`: what was measured, a row a module.

use std::path::PathBuf;

use super::measure::{RUNTIMES, Row};

/// What `tests/upstream` found, a line a row: the name, a tab, the outcome. Lines with `#` say
/// how.
const UPSTREAM: &str = include_str!("../../../tests/upstream/found.tsv");

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/modules.md")
}

fn upstream(name: &str) -> &'static str {
    let found = UPSTREAM.lines().find_map(|line| {
        let (row, outcome) = line.split_once('\t')?;
        (row == name).then_some(outcome)
    });
    found.unwrap_or("not tried")
}

pub fn write(rows: &[Row]) {
    let mut text = String::from(HEAD);
    text += &format!(
        "| module | inputs | {} | burn-onnx 0.22.0 |\n|---|---|{}---|\n",
        RUNTIMES.join(" | "),
        "---:|".repeat(RUNTIMES.len())
    );
    for row in rows {
        let own = RUNTIMES.iter().zip(&row.own);
        let cells: Vec<String> = own
            .zip(&row.cells)
            .map(|((runtime, own), cell)| match (cell, own) {
                (Ok(gap), _) => format!("{gap:.1e}"),
                (Err(_), Some(gap)) => format!("{gap:.1e} by target {runtime}"),
                (Err(message), None) => clean(message),
            })
            .collect();
        let (name, shapes, upstream) = (row.name, &row.shapes, upstream(row.name));
        let cells = cells.join(" | ");
        text += &format!("| {name} | {shapes} | {cells} | {} |\n", clean(upstream));
    }
    text += TAIL;
    std::fs::write(path(), text).unwrap();
}

/// A message within one cell.
fn clean(message: &str) -> String {
    let words: Vec<&str> = message.split_whitespace().collect();
    let text: String = words.join(" ").replace('|', "/");
    let short: String = text.chars().take(160).collect();
    if short.len() < text.len() {
        short + "…"
    } else {
        short
    }
}

/// Figures differ between machines, so only names are compared.
pub fn is_complete(rows: &[&str]) {
    let text = std::fs::read_to_string(path()).unwrap_or_default();
    let missing: Vec<&&str> = rows
        .iter()
        .filter(|name| !text.contains(&format!("\n| {name} | ")))
        .collect();
    assert!(
        missing.is_empty(),
        "docs/modules.md lacks {missing:?}; FLUXO_WRITE_DOCS=1 with this test writes it"
    );
}

const HEAD: &str = "# Modules of burn-nn, exported

Every module of burn-nn 0.22.1, losses aside, with the inputs it was exported for: named sizes are
open. The numbers are the largest difference from Burn (flex) of any output at five sets of sizes
that no trace had, absolute, divided by the output's largest magnitude where that is over 1; weights
are random and none is 0 or 1 everywhere. A message is what the runtime says instead.

A recurrent module is a loop in Rust, of which a recording sees only the steps. Recordings of
different lengths show what a step is. Where it is the step of an `LSTM`, a `GRU` or an `RNN`, the
file has that operator; any other loop is one node, `Scan`, or `Loop` where `--target rten` asks for
what rten runs (\"by target rten\": it has no `Scan`, no `RNN`, and no `GRU` that resets the state
before the product). ONNX Runtime 1.32 gives numbers for these operators where NaN goes in.
`TransformerDecoderLayer` gives back what only `TransformerDecoder` can read, and is measured there.

The last column is Burn's own exporter (`burn-onnx` 0.22.0, feature `export`) on the same list, its
sizes open too (`export_dynamic`), run in ONNX Runtime at the same five sets of sizes:
`tests/upstream` has the program, and `tests/upstream/found.tsv` what it said.

Written by `FLUXO_WRITE_DOCS=1 cargo test -p fluxo-onnx --test modules`; figures differ a little
between machines.

";

/// What stands behind the table: whole architectures, tried elsewhere (`tests/tests/architectures`).
const TAIL: &str = include_str!("behind.md");
