//! `fluxo backends`.

use anyhow::Result;
use comfy_table::{ContentArrangement, Table, presets};
use fluxo_backends::Status;
use fluxo_compare::open::{RuntimeStatus, runtimes};
use serde::Serialize;

use crate::ExitStatus;
use crate::print::Print;

#[derive(Serialize)]
struct Document {
    backends: Vec<Status>,
    runtimes: Vec<RuntimeStatus>,
}

pub fn run(print: Print) -> Result<ExitStatus> {
    let document = Document {
        backends: fluxo_backends::statuses(),
        runtimes: runtimes(),
    };
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(100)
        .set_header(["name", "kind", "here", "what was found, or why not"]);
    for status in &document.backends {
        let here = match (status.compiled, status.usable, status.default) {
            (_, true, true) => "default",
            (_, true, false) => "yes",
            (true, false, _) => "no",
            (false, false, _) => "not built",
        };
        let mut found = status.adapters.clone();
        found.extend(status.reason.clone());
        table.add_row([status.name, "backend", here, &found.join("; ")]);
    }
    for runtime in &document.runtimes {
        let here = if runtime.usable { "yes" } else { "no" };
        table.add_row([runtime.name, "runtime", here, &runtime.about]);
    }
    print.result(&document, table.trim_fmt())?;
    Ok(ExitStatus::Success)
}
