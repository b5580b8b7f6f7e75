//! One file a verb: parse, call, print.

mod about;
mod answer;
mod backends;
mod bench;
mod compare;
mod demo;
mod export;
mod finite;
mod fresh;
mod generate;
mod habits;
mod info;
mod inspect;
mod media;
mod models;
mod new;
mod run;
mod train;

use std::path::Path;

use anyhow::{Context, Result, bail};
use burn::tensor::{Device, TensorData};
use fluxo_compare::open::RUNTIMES;
use fluxo_models::{Model, Task, Tensors};

use crate::args::{Args, Command};
use crate::print::Print;
use crate::{ExitStatus, interrupt};

/// Carries out the command.
pub fn run(args: Args) -> Result<ExitStatus> {
    let print = Print {
        json: args.json,
        quiet: args.quiet,
    };
    // Training saves before it stops, and has a handler of its own.
    if !matches!(args.command, Command::Demo(_) | Command::Train(_)) {
        interrupt::leave_nothing()?;
    }
    match args.command {
        Command::Demo(args) => demo::run(&args, print),
        Command::Models => models::run(print),
        Command::Backends => backends::run(print),
        Command::New(args) => new::run(&args, print),
        Command::Info(args) => info::run(&args, print),
        Command::Run(args) => run::run(&args, print),
        Command::Generate(args) => generate::run(&args, print),
        Command::Train(args) => train::run(&args, print),
        Command::Export(args) => export::run(&args, print),
        Command::Compare(args) => compare::run(&args, print),
        Command::Bench(args) => bench::run(&args, print),
        Command::Inspect(args) => inspect::run(&args, print),
    }
}

/// The name that was asked for, or the default backend's.
fn backend(on: Option<&str>) -> Result<&str> {
    on.or(fluxo_backends::default_name())
        .context("this build holds no backend that works here; rebuild with `--features flex`")
}

/// The device that was asked for, or the default one.
fn device(on: Option<&str>) -> Result<Device> {
    Ok(fluxo_backends::device(backend(on)?)?)
}

/// Refuses a task for the exported model at `path`, whose files have the one that they have.
fn untasked(path: &Path, task: Option<Task>) -> Result<()> {
    match task {
        None => Ok(()),
        Some(task) => bail!(
            "{} is exported, for what it does; to choose {task}, give --task to the export of its \
             checkpoint",
            path.display()
        ),
    }
}

/// The runtime that was asked for, or the one that runs exported files where none is named.
fn runtime(on: Option<&str>) -> Result<&str> {
    match on {
        None => Ok("tract"),
        Some(name) if RUNTIMES.contains(&name) => Ok(name),
        Some(name) => bail!(
            "`{name}` runs checkpoints, and this is an exported model; name a runtime ({}) or give \
             the checkpoint",
            RUNTIMES.join(", ")
        ),
    }
}

/// Token numbers of a prompt, as text or as they are.
fn tokens(model: &Model, prompt: Option<&str>, ids: Option<&[u32]>) -> Result<Vec<u32>> {
    match (prompt, ids) {
        (Some(prompt), _) => {
            let text = model.text().context(
                "the model has no tokenizer.json, so it reads no text; give --ids instead",
            )?;
            Ok(text.encode(prompt)?)
        }
        (None, ids) => Ok(ids.unwrap_or_default().to_vec()),
    }
}

/// One row of tokens as a model's input.
fn row(ids: &[u32]) -> Tensors {
    let row: Vec<i64> = ids.iter().map(|&id| i64::from(id)).collect();
    let shape = [1, row.len()];
    Tensors::from([("input_ids".to_string(), TensorData::new(row, shape))])
}
