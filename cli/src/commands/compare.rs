//! `fluxo compare`.

mod before;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Result, bail};
use fluxo_compare::bundle::{self, Bundle};
use fluxo_compare::diff::AllClose;
use fluxo_compare::html::{Shown, page};
use fluxo_compare::open::Given;
use fluxo_compare::runner::expected;
use fluxo_compare::{Compared, Comparison, Conclusion, Outcome, Report, referee};
use fluxo_models::{Tensors, files, tensors};

use crate::ExitStatus;
use crate::args::Compare;
use crate::print::Print;

pub fn run(args: &Compare, print: Print) -> Result<ExitStatus> {
    before::check(args)?;
    let Compared {
        report,
        conclusion,
        inputs,
        outputs,
    } = comparison(args)?.run()?;
    // What was found stays, whatever becomes of the rest.
    let printed = print.result(&report, &report);
    if let (Some(inputs), Some(outputs)) = (inputs, outputs) {
        hand_on(args, &inputs, &outputs, &report)?;
    }
    printed?;
    held(&conclusion)
}

/// What was asked for.
fn comparison(args: &Compare) -> Result<Comparison> {
    let given = |path: &PathBuf| Given {
        path: path.clone(),
        task: args.task,
    };
    Ok(Comparison {
        models: args.model.iter().map(given).collect(),
        on: args.on.clone(),
        close: close(args)?,
        inputs: args.inputs.as_deref().map(tensors::read).transpose()?,
        taps: args.taps,
        stress: args.stress.then_some(args.seeds),
        tolerance: args.tolerance,
        generate: args.greedy.map(usize::from),
        time: args.time.map(usize::from),
        locate: args.locate,
        isolate: args.isolate,
        program: Some(std::env::current_exe()?),
        record: args.html.is_some() || args.bundle.is_some(),
    })
}

/// The exit code.
///
/// # Errors
/// What could not be done as asked.
fn held(conclusion: &Conclusion) -> Result<ExitStatus> {
    match conclusion.outcome {
        Outcome::Agree => Ok(ExitStatus::Success),
        Outcome::Differ => Ok(ExitStatus::Failure),
        Outcome::CouldNotRun if conclusion.failed => Ok(ExitStatus::Failure),
        Outcome::CouldNotRun => bail!("{conclusion}"),
    }
}

/// What `--atol` and `--rtol` say.
fn close(args: &Compare) -> Result<Option<AllClose>> {
    if args.atol.is_none() && args.rtol.is_none() {
        return Ok(None);
    }
    let (atol, rtol) = (args.atol.unwrap_or(0.0), args.rtol.unwrap_or(0.0));
    Ok(Some(AllClose::new(atol, rtol)?))
}

/// `--html` and `--bundle`.
fn hand_on(
    args: &Compare,
    inputs: &Tensors,
    outputs: &BTreeMap<String, Tensors>,
    report: &Report,
) -> Result<()> {
    let command: Vec<String> = std::env::args().collect();
    let models: Vec<_> = args
        .model
        .iter()
        .map(|model| model.display().to_string())
        .collect();
    if let Some(file) = &args.html {
        let shown = Shown {
            title: &models.join(", "),
            command: &command.join(" "),
            inputs,
            outputs,
        };
        // A link to a page stays one.
        let file = file.canonicalize().unwrap_or_else(|_| file.clone());
        let page = page(report, &shown);
        files::write_atomic(&file, |file| file.write_all(page.as_bytes()))?;
    }
    if let Some(dir) = &args.bundle {
        let bundle = Bundle {
            models: &args.model,
            command: &command,
            arguments: &arguments(args, report),
            inputs,
            outputs,
            report,
        };
        bundle::write(dir, &bundle)?;
    }
    Ok(())
}

/// The arguments that give the same verdict on the inputs of a bundle.
fn arguments(args: &Compare, report: &Report) -> Vec<String> {
    let mut on = args.on.clone();
    if on.is_empty() {
        let several = args.model.len() > 1;
        for runner in &report.runners {
            let name = runner.split_once(':').filter(|_| several);
            let name = name.map_or(runner.as_str(), |(_, name)| name);
            if !on.iter().any(|known| known == name)
                && ![referee::NAME, expected::NAME].contains(&name)
            {
                on.push(name.to_string());
            }
        }
    }
    let mut words = vec!["--on".to_string(), on.join(",")];
    let numbers = [
        ("--tolerance", args.tolerance),
        ("--atol", args.atol),
        ("--rtol", args.rtol),
    ];
    for (flag, value) in numbers {
        words.extend(
            value
                .iter()
                .flat_map(|value| [flag.to_string(), value.to_string()]),
        );
    }
    if let Some(task) = args.task {
        words.extend(["--task".to_string(), task.to_string()]);
    }
    for (flag, given) in [
        ("--taps", args.taps),
        ("--isolate", args.isolate),
        ("--locate", args.locate),
    ] {
        words.extend(given.then(|| flag.to_string()));
    }
    words
}
