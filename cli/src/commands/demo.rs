//! `fluxo demo`: the whole road in two minutes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result, bail};
use fluxo_compare::{ExportOptions, compare, inputs::samples, open};
use fluxo_models::generate::{Sampling, generate};
use fluxo_models::{Model, OutputOptions, files};
use fluxo_train::{RunOptions, TrainConfig, stop_on_ctrl_c, train};
use serde_json::json;

use super::{device, row, tokens};
use crate::ExitStatus;
use crate::args::Demo;
use crate::demo_text::TEXT;
use crate::print::Print;

/// What the sample goes on from.
const PROMPT: &str = "/// The ";

pub fn run(args: &Demo, print: Print) -> Result<ExitStatus> {
    let out = folder(args.out.as_deref())?;
    files::make_folder(&out)?;
    let data = out.join("text.txt");
    files::write_atomic(&data, |file| {
        std::io::Write::write_all(file, TEXT.as_bytes())
    })?;

    print.note("1. Train a byte-level llama (pre-norm) on Fluxo's own text")?;
    let run = out.join("run");
    let mut config = TrainConfig::new("llama", vec![data], &run);
    config.steps = args.steps;
    // Many small updates learn most in a minute.
    config.batch_size = 4;
    config.sequence_length = 64;
    config.learning_rate = 3e-3;
    config.set("model.num_hidden_layers", "2")?;
    let stop = stop_on_ctrl_c()?;
    let options = RunOptions {
        resume: false,
        quiet: print.quiet || print.json,
        stop: Arc::clone(&stop),
    };
    let device = device(None)?;
    let trained = train(&config, &device, &options)?;
    print.note(super::train::text(&trained))?;
    stopped(&stop)?;

    print.note(format!("\n2. What it writes after {PROMPT:?}"))?;
    let (model, _) = Model::load(&run, None, &device)?;
    let prompt = tokens(&model, Some(PROMPT), None)?;
    let sampling = Sampling {
        temperature: 0.7,
        top_k: Some(20),
        ..Sampling::default()
    };
    let ids = generate(&model, &prompt, 96, &sampling, |_| {})?;
    let sample = model
        .text()
        .context("a byte-level model reads text")?
        .decode(&ids)?;
    print.note(format!("{PROMPT}{sample}"))?;
    stopped(&stop)?;

    print.note("\n3. Export it to ONNX, checked in tract and rten at sizes that no trace had")?;
    let exported = out.join("export");
    let export = fluxo_compare::export(&model, &exported, &ExportOptions::default())?;
    let check = export.verification.as_ref().map(ToString::to_string);
    let verdict = check.iter().flat_map(|text| text.lines()).last();
    print.note(format!(
        "{}\n{}",
        export.file.display(),
        verdict.unwrap_or_default()
    ))?;
    stopped(&stop)?;

    print.note("\n4. Compare two Burn backends and two ONNX runtimes")?;
    let names = ["flex", "ndarray", "tract", "rten"].map(String::from);
    let models = [run.clone(), exported.clone()];
    let mut opened = open::open(&models, &names, OutputOptions::default())?;
    let mut report = compare(
        &mut opened.runners,
        &samples::inputs(model.config(), 2, 16),
        None,
    )?;
    report.skipped.extend(opened.skipped);
    print.note(&report)?;
    stopped(&stop)?;

    print.note(format!(
        "\n5. Who writes what into the residual stream, reading {PROMPT:?}"
    ))?;
    let stream = fluxo_inspect::stream(&model, &row(&prompt))?;
    print.note(&stream)?;

    let (run, exported) = (run.display(), exported.display());
    let text = format!(
        "\nEverything lies in {}\n\n  {run}  the checkpoint, metrics.jsonl and loss.svg\n  \
         {exported}  config.json and onnx/model.onnx\n\nTry next:\n  \
         fluxo generate {run} --prompt 'pub fn ' --temperature 0.8 --top-k 20\n  \
         fluxo compare {run} {exported}\n  \
         fluxo inspect {run} --prompt 'pub fn '\n  \
         fluxo train gpt2 --task text-generation --data YOUR.txt --out my-run",
        out.display()
    );
    let document = json!({
        "folder": out,
        "train": trained,
        "sample": sample,
        "export": export,
        "compare": report,
        "stream": stream,
    });
    print.result(&document, text)?;
    Ok(if report.agrees() {
        ExitStatus::Success
    } else {
        ExitStatus::Failure
    })
}

/// The folder that was asked for, or the first free `fluxo-demo`, `fluxo-demo-2`, …
fn folder(asked: Option<&Path>) -> Result<PathBuf> {
    match asked {
        Some(path) if path.exists() => {
            bail!("{}: exists already; name another folder", path.display())
        }
        Some(path) => Ok(path.to_path_buf()),
        None => (1..)
            .map(|n: usize| match n {
                1 => PathBuf::from("fluxo-demo"),
                n => PathBuf::from(format!("fluxo-demo-{n}")),
            })
            .find(|path| !path.exists())
            .context("no name for a demo folder is free; choose one with --out"),
    }
}

/// Ends the demo after Ctrl-C.
fn stopped(stop: &AtomicBool) -> Result<()> {
    if stop.load(std::sync::atomic::Ordering::SeqCst) {
        bail!("stopped by Ctrl-C; what was done so far is kept");
    }
    Ok(())
}
