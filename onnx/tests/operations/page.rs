//! `docs/operations.md`: a row an operation.

use std::collections::BTreeMap;
use std::path::PathBuf;

use fluxo_onnx::Target;

use super::measure::{OPSETS, RUN, RUNTIMES, Row};
use super::names::{FORWARD, unrecorded};

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/operations.md")
}

/// The form at opset 18; what differs at 17; and what a profile for ONNX Runtime writes, from the
/// first opset that has it: `Div, Erf, Add, Mul; ort from 20: Gelu`.
fn form(row: &Row) -> String {
    let of = |target: Target, opset| &row.forms[&(target.name(), opset)];
    let say = |form: &[&str]| {
        if form.is_empty() {
            "none".to_string()
        } else {
            form.join(", ")
        }
    };
    let plain = of(Target::Any, RUN);
    let mut text = if plain.is_empty() {
        "a stored constant".into()
    } else {
        say(plain)
    };
    for opset in OPSETS.filter(|opset| *opset != RUN) {
        let (here, before) = (
            of(Target::Any, opset),
            of(Target::Any, (opset - 1).max(RUN)),
        );
        if here != before {
            text += &format!("; {opset}: {}", say(here));
        }
        let own = of(Target::Ort, opset);
        let before = match opset {
            17 => own,
            _ => of(Target::Ort, opset - 1),
        };
        if own != before && own != here {
            text += &format!("; ort from {opset}: {}", say(own));
        }
    }
    text
}

/// A difference; or what the runtime says, in short.
fn cell(row: &Row, runtime: &str) -> String {
    let Some((worst, message)) = row.runs.get(runtime) else {
        return String::new();
    };
    let number = worst.map(|worst| match worst {
        0.0 => "0".to_string(),
        worst => format!("{worst:.0e}"),
    });
    let Some(message) = message else {
        return number.unwrap_or_default();
    };
    let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    let line: String = line.replace('|', "/").chars().take(120).collect();
    match number {
        Some(number) => format!("{number}; {SOME}: {line}"),
        None => format!("{NONE}: {line}"),
    }
}

/// How a cell begins to tell of a runtime that cannot run every case.
const SOME: &str = "not all cases";
/// How a cell begins to tell of a runtime that runs none.
const NONE: &str = "none";

/// Writes the table.
pub fn write(rows: &BTreeMap<&str, Row>) {
    let mut text = String::from(HEAD);
    text += &format!("| operation | ONNX | {} |\n", RUNTIMES.join(" | "));
    text += &format!("|---|---|{}\n", "---|".repeat(RUNTIMES.len()));
    for name in FORWARD {
        let line = match (rows.get(name), unrecorded(name)) {
            (
                Some(Row {
                    reason: Some(why), ..
                }),
                _,
            ) => format!("refused: {why} | | | "),
            (Some(row), _) => {
                let mark = if row.alone { "" } else { "* " };
                let cells = RUNTIMES.map(|runtime| cell(row, runtime));
                format!("{mark}{} | {} ", form(row), cells.join(" | "))
            }
            (None, told) => format!("{} | | | ", told.unwrap_or_default()),
        };
        text += &format!("| {name} | {line}|\n");
    }
    std::fs::write(path(), text).unwrap();
}

/// Figures differ between machines and messages between versions: rows, and which runtimes run
/// all cases, are compared.
pub fn check(rows: &BTreeMap<&str, Row>, ort: bool) {
    let text = std::fs::read_to_string(path()).unwrap_or_default();
    let listed: BTreeMap<&str, Vec<&str>> = text
        .lines()
        .filter_map(|line| line.strip_prefix("| "))
        .map(|line| line.split(" | ").collect())
        .map(|cells: Vec<&str>| (cells[0], cells))
        .collect();
    let advice = "FLUXO_WRITE_DOCS=1 with this test writes docs/operations.md";
    for name in FORWARD {
        let Some(cells) = listed.get(name) else {
            panic!("docs/operations.md lacks {name}; {advice}");
        };
        let Some(row) = rows.get(name).filter(|row| row.reason.is_none()) else {
            continue;
        };
        assert_eq!(
            cells[1].trim_start_matches("* "),
            form(row),
            "{name}; {advice}"
        );
        for (runtime, told) in RUNTIMES.into_iter().zip(&cells[2..]) {
            if runtime == "ort" && !ort {
                continue;
            }
            let told = (
                !told.starts_with(NONE),
                told.contains(SOME) || told.starts_with(NONE),
            );
            let (number, message) = &row.runs[runtime];
            let found = (number.is_some(), message.is_some());
            assert_eq!(told, found, "{name} in {runtime}; {advice}");
        }
    }
}

const HEAD: &str = "# Operations, and what becomes of them

A row for every forward operation of burn-ir 0.22.1; `Base` and `Numeric` ones stand for every kind
of element that they have. The second column names the ONNX operators that its cases become at opset
18, at other opsets from 17 to 24 where they differ, and with `--target ort` where that differs; `*`
marks rows whose cases need other operations too, which are named with it. The numbers are the
largest difference from Burn (flex) in tract and rten at opset 18, and in ONNX Runtime at 17, 18, 24
and with `--target ort`, at three sets of sizes that no trace had: absolute, divided by the output's
largest magnitude where that is over 1. Where a runtime cannot load or run a case, its message
follows; tract gets a plan for each shape where it cannot analyse a graph with open ones. Backward
operations are refused: gradients have no place in an exported graph.

Written by `FLUXO_WRITE_DOCS=1 cargo test -p fluxo-onnx --test operations`; figures differ a little
between machines.

";
