//! Every operation that Burn records: its ONNX form, and the largest difference from Burn in ONNX
//! Runtime, tract and rten at sizes that no trace had. `FLUXO_WRITE_DOCS=1` writes it down as
//! `docs/operations.md`; without it the file must have the same rows, and tell the same of what
//! each runtime loads.
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../judge/mod.rs"]
mod judge;

mod base;
mod float;
mod inputs;
mod measure;
mod module;
mod names;
mod numeric;
mod page;

use std::collections::BTreeMap;

use inputs::Case;
use measure::Row;

/// One rounding of float32 in sums of some dozen terms is about 1e-6.
const TOLERANCE: f64 = 2e-5;

fn cases() -> impl Iterator<Item = &'static Case> {
    let all = [base::CASES, numeric::CASES, float::CASES, module::CASES];
    let only = std::env::var("FLUXO_ONLY").unwrap_or_default();
    all.into_iter()
        .flatten()
        .filter(move |(name, _)| name.contains(&only))
}

#[test]
fn every_operation_agrees_and_stands_in_the_table() {
    let mut rows: BTreeMap<&str, Row> = BTreeMap::new();
    let mut wrong = Vec::new();
    let mut judge = judge::Judge::start();
    for (index, (name, run)) in cases().enumerate() {
        eprintln!("{name}, case {index}");
        let row = rows.entry(name).or_default();
        if let Err(error) = measure::measure(name, *run, row, judge.as_mut()) {
            wrong.push(format!("{name}, case {index}: {error}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    if std::env::var_os("FLUXO_ONLY").is_some() {
        return;
    }
    for name in names::FORWARD {
        assert!(
            rows.contains_key(name) || names::unrecorded(name).is_some(),
            "{name} has no case"
        );
    }
    for name in rows.keys() {
        assert!(names::FORWARD.contains(name), "{name} is not in the list");
    }
    if std::env::var_os("FLUXO_WRITE_DOCS").is_some() {
        assert!(
            judge.is_some(),
            "ONNX Runtime must be there to write it down"
        );
        page::write(&rows);
    }
    page::check(&rows, judge.is_some());
}
