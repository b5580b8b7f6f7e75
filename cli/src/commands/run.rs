//! `fluxo run`.

use std::slice;

use anyhow::{Context, Result};
use fluxo_compare::artifact;
use fluxo_compare::inputs::split;
use fluxo_models::{Request, tensors};
use serde_json::json;

use crate::Held;
use crate::args::Run;
use crate::print::Print;

pub fn run(args: &Run, print: Print) -> Result<Held> {
    let request = Request {
        hidden_states: args.hidden_states,
        taps: args.taps,
    };
    let name = match &args.on {
        Some(name) => name.clone(),
        None if artifact::graph_of(&args.model)?.is_some() => "tract".to_string(),
        None => super::backend(None)?.to_string(),
    };
    let mut opened = artifact::open(
        slice::from_ref(&args.model),
        slice::from_ref(&name),
        request,
    )?;
    let runner = opened
        .runners
        .first_mut()
        .context("there is nothing to run")?;
    let (inputs, _) = split(&tensors::read(&args.inputs)?);
    let outputs = runner.run(&inputs)?;
    tensors::write(&args.out, &outputs)?;
    let shapes: Vec<_> = outputs
        .iter()
        .map(|(name, data)| json!({"name": name, "shape": data.shape().to_vec()}))
        .collect();
    let text = outputs
        .iter()
        .map(|(name, data)| format!("{name} {:?}", data.shape().to_vec()))
        .collect::<Vec<_>>()
        .join("\n");
    let document = json!({"file": args.out, "on": name, "outputs": shapes});
    print.result(
        &document,
        format!("{text}\nwritten to {}", args.out.display()),
    )?;
    Ok(Held::Yes)
}
