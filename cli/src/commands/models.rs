//! `fluxo models`.

use anyhow::Result;
use comfy_table::{Table, presets};
use fluxo_models::catalog::FAMILIES;
use serde::Serialize;

use crate::ExitStatus;
use crate::print::Print;

#[derive(Serialize)]
struct Row {
    family: &'static str,
    paper: &'static str,
    tasks: Vec<&'static str>,
    architectures: Vec<&'static str>,
}

pub fn run(print: Print) -> Result<ExitStatus> {
    let rows: Vec<Row> = FAMILIES
        .iter()
        .map(|family| Row {
            family: family.name,
            paper: family.paper,
            tasks: family.tasks().map(|task| task.name()).collect(),
            architectures: family.classes.iter().map(|class| class.name).collect(),
        })
        .collect();
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_header(["family", "paper", "tasks"]);
    for row in &rows {
        table.add_row([
            row.family.to_string(),
            row.paper.to_string(),
            row.tasks.join(", "),
        ]);
    }
    print.result(&rows, table.trim_fmt())?;
    Ok(ExitStatus::Success)
}
