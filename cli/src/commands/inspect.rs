//! `fluxo inspect`.

use anyhow::{Context, Result, bail};
use burn::tensor::TensorData;
use fluxo_compare::inputs::split;
use fluxo_compare::{ExportManifest, OnnxModelFiles, open};
use fluxo_models::{Model, OutputOptions, Tensors, tensors};

use super::finite::{self, Computed};
use super::{device, row, runtime, tokens, untasked};
use crate::ExitStatus;
use crate::args::Inspect;
use crate::print::Print;

pub fn run(args: &Inspect, print: Print) -> Result<ExitStatus> {
    match open::graph_of(&args.model)? {
        None => checkpoint(args, print),
        Some(graph) => exported(args, &graph, print),
    }
}

fn checkpoint(args: &Inspect, print: Print) -> Result<ExitStatus> {
    let device = device(args.on.as_deref())?;
    let (model, _) = Model::load(&args.model, args.task, &device)?;
    let inputs = inputs(args, &model)?;
    let request = OutputOptions {
        taps: true,
        ..OutputOptions::default()
    };
    let outputs = model.run(&inputs, &request)?;
    show(
        &model,
        &inputs,
        &outputs,
        Computed::In(model.dtype()),
        print,
    )
}

/// What the taps among the outputs of exported files show.
fn exported(args: &Inspect, graph: &OnnxModelFiles, print: Print) -> Result<ExitStatus> {
    untasked(&args.model, args.task)?;
    let home = open::home(&args.model);
    let task = ExportManifest::read(home).ok().map(|own| own.task);
    let model = Model::described(home, task, &device(None)?)?.with_parameters(graph.norms()?);
    let inputs = inputs(args, &model)?;
    let runtime = runtime(args.on.as_deref())?;
    let outputs = graph.load(runtime, runtime)?.run(&inputs)?;
    if let Some(missing) = missing(&model, &outputs) {
        bail!(
            "{}: the exported model gives no `{missing}`, so its stream cannot be seen; export the \
             checkpoint with --taps, or inspect the checkpoint",
            args.model.display()
        );
    }
    show(&model, &inputs, &outputs, Computed::by_files(home), print)
}

/// The first tap of the main stack that `outputs` lack.
fn missing(model: &Model, outputs: &Tensors) -> Option<String> {
    let taps = model.config().taps().into_iter();
    let mut main = taps.filter(|tap| {
        if model.config().encodes_and_decodes() {
            tap.starts_with("decoder.")
        } else {
            !tap.starts_with("vision.")
        }
    });
    main.find(|tap| !outputs.contains_key(tap))
}

fn show(
    model: &Model,
    inputs: &Tensors,
    outputs: &Tensors,
    computed: Computed,
    print: Print,
) -> Result<ExitStatus> {
    let stray = finite::stray(outputs);
    finite::say(&stray, computed)?;
    let report = fluxo_inspect::measured(model, inputs, outputs)?;
    print.result(&finite::noted(&report, &stray)?, &report)?;
    Ok(if stray.is_empty() {
        ExitStatus::Success
    } else {
        ExitStatus::Failure
    })
}

fn inputs(args: &Inspect, model: &Model) -> Result<Tensors> {
    if let Some(path) = &args.input.inputs {
        return Ok(split(&tensors::read(path)?).0);
    }
    let ids = tokens(
        model,
        args.input.prompt.as_deref(),
        args.input.ids.as_deref(),
    )?;
    let mut inputs = (!ids.is_empty())
        .then(|| row(&ids))
        .context("the prompt is empty: give it at least one token")?;
    // An encoder reads the prompt; the decoder is about to start.
    if model.config().encodes_and_decodes() {
        let start = model.config().decoder_start.unwrap_or_default() as i64;
        let start = TensorData::new(vec![start], [1, 1]);
        inputs.insert("decoder_input_ids".into(), start);
    }
    Ok(inputs)
}
