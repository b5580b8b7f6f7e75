//! `fluxo bench`.

mod measuring;

use anyhow::{Result, bail};
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use fluxo_compare::inputs::samples;
use fluxo_compare::open;
use fluxo_models::Model;
use serde::Serialize;

use crate::ExitStatus;
use crate::args::Bench;
use crate::print::Print;
use measuring::Measuring;

/// The tokens of a row, where the model has as many positions.
const SEQUENCE: usize = 128;

/// What was measured, and of what.
#[derive(Serialize)]
struct Document {
    batch: usize,
    sequence: usize,
    new_tokens: usize,
    runs: usize,
    rows: Vec<Row>,
    /// What could not be measured, and why.
    skipped: Vec<String>,
}

/// One backend or runtime.
#[derive(Default, Serialize)]
struct Row {
    runner: String,
    /// One pass, its outputs read.
    forward: Option<Measured>,
    /// A text of `new_tokens` tokens behind a prompt.
    decoding: Option<Measured>,
    /// One update of training.
    training: Option<Measured>,
}

#[derive(Serialize)]
struct Measured {
    median_ms: f64,
    lower_ms: f64,
    upper_ms: f64,
    tokens_per_second: f64,
    /// Kernels started, on a backend of CubeCL.
    launches: Option<usize>,
    /// Bytes that the backend holds of the card's memory, where it says so.
    device_bytes: Option<u64>,
}

pub fn run(args: &Bench, print: Print) -> Result<ExitStatus> {
    let graph = open::graph_of(&args.model)?;
    if args.train && graph.is_some() {
        bail!("--train is for checkpoints: an exported model learns nothing");
    }
    let home = open::home(&args.model);
    let described = Model::described(home, args.task, &super::device(None)?)?;
    let names = names(args, graph.is_some());
    let longest = samples::longest(described.config());
    let sequence = args.sequence.map_or(longest.min(SEQUENCE), usize::from);
    if sequence > longest {
        bail!("--sequence {sequence}: the model reads {longest} positions at most; shorten it");
    }
    let mut bench = Measuring {
        args,
        graph,
        document: Document {
            batch: args.batch.into(),
            sequence,
            new_tokens: args.new_tokens.into(),
            runs: args.runs.into(),
            rows: rows(&names),
            skipped: Vec::new(),
        },
    };
    bench.forward(&described, &names, print)?;
    if described.task().generates() {
        bench.decoding(&described, &names, print)?;
    }
    if args.train {
        bench.training(&names, print)?;
    }
    let document = bench.document;
    print.result(&document, table(&document))?;
    let any = document.rows.iter().any(|row| row.forward.is_some());
    Ok(if any {
        ExitStatus::Success
    } else {
        ExitStatus::Failure
    })
}

fn rows(names: &[String]) -> Vec<Row> {
    let row = |name: &String| Row {
        runner: name.clone(),
        ..Row::default()
    };
    names.iter().map(row).collect()
}

/// What was named, or what is here and takes the model.
fn names(args: &Bench, exported: bool) -> Vec<String> {
    if !args.on.is_empty() {
        return args.on.clone();
    }
    if exported {
        let runtimes = open::runtimes().into_iter().filter(|it| it.usable);
        runtimes.map(|it| it.name.to_string()).collect()
    } else {
        let backends = fluxo_backends::statuses().into_iter();
        let backends = backends.filter(|it| it.usable);
        backends.map(|it| it.name.to_string()).collect()
    }
}

/// A row for each thing that was measured and each runner; what could not be measured, below.
fn table(document: &Document) -> String {
    type Of = fn(&Row) -> Option<&Measured>;
    let measured: [(&str, Of); 3] = [
        ("pass", |row| row.forward.as_ref()),
        ("written", |row| row.decoding.as_ref()),
        ("update", |row| row.training.as_ref()),
    ];
    let all = measured.iter().flat_map(|(what, of)| {
        let rows = document.rows.iter();
        rows.filter_map(move |row| Some((*what, &row.runner, of(row)?)))
    });
    let cells = all.map(|(what, runner, it)| {
        let bytes = it
            .device_bytes
            .map(|bytes| format!("{:.0}", bytes as f64 / 1e6));
        let launches = it.launches.map(|launches| launches.to_string());
        [
            what.to_string(),
            runner.clone(),
            format!("{:.1}", it.median_ms),
            format!("{:.1}-{:.1}", it.lower_ms, it.upper_ms),
            format!("{:.0}", it.tokens_per_second),
            launches.unwrap_or("-".into()),
            bytes.unwrap_or("-".into()),
        ]
    });
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header([
            "what",
            "runner",
            "ms",
            "quartiles",
            "tokens/s",
            "kernels",
            "card, MB",
        ])
        .add_rows(cells);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
        if column.index > 1 {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let mut lines = vec![table.trim_fmt()];
    let skipped = document.skipped.iter();
    lines.extend(skipped.map(|line| format!("skipped: {line}")));
    lines.join("\n")
}
