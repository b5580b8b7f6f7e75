//! `fluxo run`.

use std::time::Instant;

use anyhow::{Context, Result, bail};
use burn::tensor::DType;
use fluxo_compare::artifact::{self, Given};
use fluxo_compare::inputs::split;
use fluxo_compare::timing::peak_memory;
use fluxo_models::{Model, Request, Tensors, tensors};
use serde_json::json;

use super::finite::{self, Computed};
use super::media;
use crate::Held;
use crate::args::Run;
use crate::print::Print;

pub fn run(args: &Run, print: Print) -> Result<Held> {
    let given = &args.input;
    let inputs = match &given.inputs {
        Some(file) => split(&tensors::read(file)?).0,
        None => media::inputs(
            &args.model,
            &given.prompt,
            &given.image,
            given.sound.as_deref(),
        )?,
    };
    let name = match &args.on {
        Some(name) => name.clone(),
        None if artifact::graph_of(&args.model)?.is_some() => "tract".to_string(),
        None => super::backend(None)?.to_string(),
    };
    let (outputs, ms) = outputs(args, &name, &inputs)?;
    tensors::write(&args.out, &outputs)?;
    let stray = finite::stray(&outputs);
    finite::say(&stray, computed(args)?)?;
    let shapes: Vec<_> = outputs
        .iter()
        .map(|(name, data)| json!({"name": name, "shape": data.shape().to_vec()}))
        .collect();
    let text = outputs
        .iter()
        .map(|(name, data)| format!("{name} {:?}", data.shape().to_vec()))
        .collect::<Vec<_>>()
        .join("\n");
    let document = json!({
        "file": args.out, "on": name, "outputs": shapes,
        "ms": ms, "peak_bytes": peak_memory(),
        "not_finite": stray,
    });
    print.result(
        &document,
        format!("{text}\nwritten to {}", args.out.display()),
    )?;
    Ok(match stray.is_empty() {
        true => Held::Yes,
        false => Held::No,
    })
}

/// What the outputs are computed in.
fn computed(args: &Run) -> Result<Computed> {
    Ok(match artifact::graph_of(&args.model)? {
        None => Computed::In(args.dtype),
        Some(_) => Computed::by_files(artifact::home(&args.model)),
    })
}

/// The outputs, and how many milliseconds they took, the model's loading left out.
fn outputs(args: &Run, name: &str, inputs: &Tensors) -> Result<(Tensors, f64)> {
    let request = Request {
        hidden_states: args.hidden_states,
        taps: args.taps,
    };
    if args.dtype != DType::F32 {
        if artifact::RUNTIMES.contains(&name) {
            bail!("--dtype is for backends: the types of an ONNX file are in it");
        }
        let device = super::device(Some(name))?;
        let (model, _) = Model::load_as(&args.model, args.task, &device, args.dtype)?;
        return timed(|| Ok(model.run(inputs, &request)?));
    }
    let given = Given {
        path: args.model.clone(),
        task: args.task,
    };
    let mut opened = artifact::open(&[given], &[name.to_string()], request)?;
    let runner = opened
        .runners
        .first_mut()
        .context("there is nothing to run")?;
    timed(|| Ok(runner.run(inputs)?))
}

fn timed(run: impl FnOnce() -> Result<Tensors>) -> Result<(Tensors, f64)> {
    let start = Instant::now();
    let outputs = run()?;
    Ok((outputs, start.elapsed().as_secs_f64() * 1e3))
}
