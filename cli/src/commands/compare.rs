//! `fluxo compare`.

use std::path::Path;

use anyhow::{Context, Result};
use fluxo_compare::{Graph, artifact, compare, compare_refereed, referee, samples};
use fluxo_models::catalog::Description;
use fluxo_models::config::Raw;
use fluxo_models::{Request, Tensors, model::CONFIG, tensors};

use crate::Held;
use crate::args::Compare;
use crate::print::Print;

pub fn run(args: &Compare, print: Print) -> Result<Held> {
    let given = args.inputs.as_deref().map(tensors::read).transpose()?;
    // Expected hidden states are there to be compared with.
    let mut names = given.iter().flat_map(Tensors::keys);
    let request = Request {
        hidden_states: names
            .any(|name| name.starts_with("out.") && name.contains("hidden_states.")),
        taps: args.taps,
    };
    let mut opened = artifact::open(&args.model, &args.on, request)?;
    let inputs = match given {
        Some(inputs) => inputs,
        None => made_up(&args.model)?,
    };
    let cases = [("on these inputs".to_string(), inputs)];
    let rulings = match (&opened.model, args.tolerance) {
        (Some(model), None) => referee::rule(model, request, &cases)?,
        _ => None,
    };
    let mut report = match rulings {
        Some(rulings) => compare_refereed(&mut opened.runners, &cases, &rulings)?,
        None => compare(&mut opened.runners, &cases[0].1, args.tolerance)?,
    };
    report.skipped.extend(opened.skipped);
    print.result(&report, &report)?;
    // Whoever was named and did not take part has not agreed.
    let all = args.on.is_empty() || report.skipped.is_empty();
    Ok(if report.agrees() && all {
        Held::Yes
    } else {
        Held::No
    })
}

/// Inputs of the first model that says what it reads, as the exported files take them.
fn made_up(models: &[impl AsRef<Path>]) -> Result<Tensors> {
    let config = models
        .iter()
        .map(|model| model.as_ref().join(CONFIG))
        .find(|path| path.is_file())
        .context("there is no config.json to make up inputs from; give --inputs FILE")?;
    let description = Description::of(Raw::read(&config)?, None)?;
    let mut files = Vec::new();
    for model in models {
        let graph = artifact::graph_of(model.as_ref())?;
        files.extend(graph.iter().flat_map(Graph::files).map(Path::to_path_buf));
    }
    Ok(samples::fitting(&description.config, &files)?)
}
