//! Every module of burn-nn, exported: Burn against ONNX Runtime, tract and rten at sizes that no
//! trace had. `FLUXO_WRITE_DOCS=1` writes what was measured down as `docs/modules.md`, beside what
//! `tests/upstream` found on the same list.
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../judge/mod.rs"]
mod judge;
mod list;
mod measure;
mod names;
mod page;
mod take;

use take::{Given, Taken};

#[test]
fn every_module_agrees_or_says_why_not() {
    let Some(judge) = judge::Judge::start() else {
        return;
    };
    let mut table = measure::Table::new(judge);
    list::all(&mut table);
    let rows = table.rows;
    if std::env::var_os("FLUXO_WRITE_DOCS").is_some() {
        page::write(&rows);
    }
    let wrong: Vec<String> = rows.iter().filter_map(measure::Row::fault).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_module_is_missing() {
    let listed = names::listed();
    let modules = names::of_burn_nn();
    let missing: Vec<&String> = modules
        .iter()
        .filter(|name| !listed.contains(*name) && !names::WITHOUT_A_ROW.contains(&name.as_str()))
        .collect();
    assert!(
        missing.is_empty(),
        "modules of burn-nn without a row: {missing:?}"
    );
}

#[test]
fn the_page_has_every_row() {
    page::is_complete(&names::rows());
}
