//! `fluxo backends`.

use anyhow::Result;
use comfy_table::{ContentArrangement, Table, presets};
use fluxo_backends::{Products, Status};
use fluxo_compare::open::{RuntimeStatus, runtimes};
use fluxo_support::panics::catch;
use serde::Serialize;

use crate::ExitStatus;
use crate::print::Print;

#[derive(Serialize)]
struct Document {
    backends: Vec<Backend>,
    runtimes: Vec<RuntimeStatus>,
}

#[derive(Serialize)]
struct Backend {
    #[serde(flatten)]
    status: Status,
    /// What its first device multiplies with, in each type that it has; found by multiplying.
    products: Vec<Products>,
}

pub fn run(print: Print) -> Result<ExitStatus> {
    let backends = fluxo_backends::statuses().into_iter();
    let backends = backends.map(|status| Backend {
        products: products(&status),
        status,
    });
    let document = Document {
        backends: backends.collect(),
        runtimes: runtimes(),
    };
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(100)
        .set_header(["name", "kind", "here", "what was found, or why not"]);
    for Backend { status, products } in &document.backends {
        let here = match (status.compiled, status.usable, status.default) {
            (_, true, true) => "default",
            (_, true, false) => "yes",
            (true, false, _) => "no",
            (false, false, _) => "not built",
        };
        let mut found = status.adapters.clone();
        if !products.is_empty() {
            let products: Vec<_> = products.iter().map(ToString::to_string).collect();
            found.push(format!("computes {}", products.join(", ")));
        }
        if status.usable {
            found.extend(status.variants.iter().map(|name| format!("also `{name}`")));
        }
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

/// What the first device of a backend multiplies with; nothing where it cannot be used, or fails.
fn products(status: &Status) -> Vec<Products> {
    if !status.usable {
        return Vec::new();
    }
    let tried = || {
        let device = fluxo_backends::device(status.name).ok();
        let dtypes = device.iter().flat_map(fluxo_backends::float_dtypes);
        let products = dtypes.filter_map(|dtype| fluxo_backends::products(device.as_ref()?, dtype));
        products.collect()
    };
    catch(tried).unwrap_or_default()
}
