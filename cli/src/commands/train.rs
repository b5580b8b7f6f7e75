//! `fluxo train`.

use std::path::Path;

use anyhow::{Context, Result, bail};
use fluxo_train::{RunOptions, Summary, TrainConfig, stop_on_ctrl_c, train};

use super::device;
use crate::ExitStatus;
use crate::args::Train;
use crate::print::Print;

pub fn run(args: &Train, print: Print) -> Result<ExitStatus> {
    let mut config = config(args)?;
    if let Some(task) = args.task {
        config.task = task.to_string();
    }
    if !args.data.is_empty() {
        config.data.clone_from(&args.data);
    }
    if let Some(out) = &args.out {
        config.out.clone_from(out);
    }
    for (key, value) in &args.set {
        config.set(key, value)?;
    }
    let options = RunOptions {
        resume: args.resume,
        quiet: print.quiet || print.json,
        stop: stop_on_ctrl_c()?,
    };
    let summary = train(&config, &device(args.on.as_deref())?, &options)?;
    print.result(&summary, text(&summary))?;
    Ok(ExitStatus::Success)
}

/// The configuration that `args.what` names, or that of the run to resume.
fn config(args: &Train) -> Result<TrainConfig> {
    Ok(match (&args.what, &args.out) {
        (Some(what), _) if what.ends_with(".toml") => TrainConfig::load(Path::new(what))?,
        (_, Some(out)) if args.resume => TrainConfig::of_run(out)?,
        (Some(family), out) => {
            fluxo_models::catalog::family(family)?;
            let out = out
                .as_deref()
                .context("say where the run goes with --out DIR")?;
            TrainConfig::new(family, args.data.clone(), out)
        }
        (None, _) => {
            bail!("name a family or a configuration file, or resume with --resume --out DIR")
        }
    })
}

/// What a run came to, and what to do with it.
pub fn text(summary: &Summary) -> String {
    let out = summary.out.display();
    let best = match (summary.best_eval_loss, summary.best_step) {
        (Some(loss), Some(step)) => format!(", best validation loss {loss:.3} at step {step}"),
        _ => String::new(),
    };
    let scores = match (summary.accuracy, summary.macro_f1) {
        (Some(accuracy), Some(f1)) => format!(" (accuracy {accuracy:.3}, macro F1 {f1:.3})"),
        _ => String::new(),
    };
    let state = if summary.stopped {
        format!("stopped and saved; go on with: fluxo train --resume --out {out}")
    } else {
        format!("the model is in {out}")
    };
    format!(
        "{} parameters, {} steps, {} tokens in {:.0} s: loss {:.3} -> {:.3}{best}{scores}\n{state}",
        summary.parameters,
        summary.steps,
        summary.tokens,
        summary.seconds,
        summary.first_loss,
        summary.last_loss,
    )
}
