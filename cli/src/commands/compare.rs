//! `fluxo compare`.

mod before;
mod ending;
mod part;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use fluxo_compare::artifact::{self, Given, Opened};
use fluxo_compare::bundle::{self, Bundle};
use fluxo_compare::diff::Close;
use fluxo_compare::inputs::split;
use fluxo_compare::page::{Shown, page};
use fluxo_compare::record::{self, Gave};
use fluxo_compare::referee::{self, Ruling};
use fluxo_compare::runner::{Kind, Runner, expected};
use fluxo_compare::steps::steps;
use fluxo_compare::stress::{self, Stress};
use fluxo_compare::{
    Case, Graph, Judging, Outcome, Report, Verdict, compare_judged, convention, greedy, samples,
    timing,
};
use fluxo_models::catalog::Description;
use fluxo_models::{Model, NetworkConfig, Request, Tensors, files, model::CONFIG, tensors};

use crate::Held;
use crate::args::Compare;
use crate::print::Print;

pub fn run(args: &Compare, print: Print) -> Result<Held> {
    before::check(args)?;
    let close = close(args)?;
    let given = args.inputs.as_deref().map(tensors::read).transpose()?;
    // Expected hidden states are there to be compared with.
    let mut names = given.iter().flat_map(Tensors::keys);
    let request = Request {
        hidden_states: names
            .any(|name| name.starts_with("out.") && name.contains("hidden_states.")),
        taps: args.taps,
    };
    let Opened {
        runners,
        skipped,
        model,
        request,
    } = match opened(args, request, args.isolate) {
        Ok(opened) => opened,
        Err(error) => return ending::unopened(error, print),
    };
    let (runners, gave) = record::keep(runners);
    let mut judge = Judge {
        model,
        once: in_turn(args),
        runners,
        request,
        close,
        tolerance: args.tolerance,
        rulings: Vec::new(),
    };
    let steps = match (&given, &judge.model) {
        (None, Some(model)) if !in_turn(args) => steps(model, &graphs(&args.model)?)?,
        _ => Vec::new(),
    };
    let mut cases = match given {
        Some(inputs) => vec![("on these inputs".to_string(), inputs)],
        None if args.stress => Vec::new(),
        None => vec![("on these inputs".to_string(), made_up(args)?)],
    };
    let compared = match args.stress {
        true => stressed(args, &mut judge, &mut cases, steps),
        false => judge.decoded(&cases, steps),
    };
    if cases.is_empty() {
        // Not even what to compare was found.
        return Err(compared.err().context("there are no inputs")?);
    }
    let names = judge.runners.iter().map(|runner| runner.name().to_string());
    let (mut report, mut unable) = ending::compared(compared, names.collect());
    report.skipped.extend(skipped);
    // The inputs that the rest is about: the only ones, or the smallest that show it.
    let (_, inputs) = &cases[0];
    let kept = args.html.is_some() || args.bundle.is_some();
    let outputs = kept.then(|| outputs(&judge, &gave, inputs));
    let mut rest = Ok(());
    if !report.pairs.is_empty() {
        rest = extras(args, &mut judge, inputs, &mut report);
    }
    if args.locate && rest.is_ok() && !report.pairs.is_empty() {
        // The search loads what it needs, one runner at a time.
        drop((judge, gave));
        rest = located(args, inputs, &mut report);
    }
    if let Some(absent) = part::absent(args, &report) {
        report.verdict = Verdict::Differ;
        unable.push(absent);
    }
    unable.extend(ending::failed(args, &report));
    unable.extend(rest.err().map(|error| ending::without(&error)));
    let conclusion = report.conclude(&unable);
    // What was found stays, whatever becomes of the rest.
    let printed = print.result(&report, &report);
    if let Some(outputs) = outputs {
        hand_on(args, inputs, &outputs, &report)?;
    }
    printed?;
    ending::held(&conclusion)
}

/// `--locate`.
fn located(args: &Compare, inputs: &Tensors, report: &mut Report) -> Result<()> {
    let located = artifact::locate(&given(args), &args.on, inputs)?;
    report
        .place(located.context("--locate needs a backend in float64 (flex, ndarray) to judge by")?);
    Ok(())
}

/// What `--atol` and `--rtol` say.
fn close(args: &Compare) -> Result<Option<Close>> {
    if args.atol.is_none() && args.rtol.is_none() {
        return Ok(None);
    }
    let (atol, rtol) = (args.atol.unwrap_or(0.0), args.rtol.unwrap_or(0.0));
    Ok(Some(Close::new(atol, rtol)?))
}

/// The models, and what their checkpoints are loaded for.
fn given(args: &Compare) -> Vec<Given> {
    let given = |path: &PathBuf| Given {
        path: path.clone(),
        task: args.task,
    };
    args.model.iter().map(given).collect()
}

fn opened(args: &Compare, request: Request, isolate: bool) -> Result<Opened> {
    let models = given(args);
    Ok(match isolate {
        true => {
            let program = std::env::current_exe()?;
            artifact::open_isolated(&models, &args.on, request, &program)?
        }
        false if in_turn(args) => artifact::open_in_turn(&models, &args.on, request)?,
        false => artifact::open(&models, &args.on, request)?,
    })
}

/// Whether every runner runs once, so that one needs to be in memory at a time.
fn in_turn(args: &Compare) -> bool {
    args.locate && !args.isolate && !args.stress && args.greedy.is_none() && args.time.is_none()
}

/// Runners, and what judges them.
struct Judge {
    model: Option<Model>,
    /// Whether it is asked for a single verdict, and holds the model no longer than that takes.
    once: bool,
    runners: Vec<Box<dyn Runner>>,
    request: Request,
    close: Option<Close>,
    tolerance: Option<f64>,
    /// What the referee said last.
    rulings: Vec<Ruling>,
}

impl Judge {
    fn compare(&mut self, cases: &[Case]) -> Result<Report> {
        self.rulings = match (&self.model, self.tolerance) {
            (Some(model), None) => {
                let declared = self.runners.iter().filter_map(|it| it.label().declared);
                referee::rule_on(model, self.request, cases, declared)?.unwrap_or_default()
            }
            _ => Vec::new(),
        };
        let graphs = self.runners.iter().any(|runner| {
            let kind = runner.label().kind;
            matches!(kind, Kind::Graph)
        });
        let saved = cases
            .iter()
            .any(|(_, inputs)| inputs.keys().any(|name| name.starts_with("out.")));
        let others = match &self.model {
            Some(model) if graphs || saved => {
                convention::others(model, self.request, cases, !self.rulings.is_empty())?
            }
            _ => Vec::new(),
        };
        if self.once {
            self.model = None;
        }
        let judging = Judging {
            rulings: &self.rulings,
            close: self.close,
            tolerance: self.tolerance,
            others: &others,
            ..Judging::default()
        };
        Ok(compare_judged(&mut self.runners, cases, &judging)?)
    }

    /// [`Judge::compare`] of `steps` and `cases`, the last of which is what a page and a bundle
    /// show.
    fn decoded(&mut self, cases: &[Case], steps: Vec<Case>) -> Result<Report> {
        let all: Vec<Case> = steps.into_iter().chain(cases.iter().cloned()).collect();
        let report = self.compare(&all)?;
        self.rulings = self
            .rulings
            .split_off(self.rulings.len().saturating_sub(cases.len()));
        Ok(report)
    }
}

/// Compares hard inputs; where some differ, `cases` is left with the smallest that do.
fn stressed(
    args: &Compare,
    judge: &mut Judge,
    cases: &mut Vec<Case>,
    steps: Vec<Case>,
) -> Result<Report> {
    let config = configured(args)?;
    let mut hard = stress::cases(&config, judge.model.as_ref(), args.seeds)?;
    for graph in graphs(&args.model)? {
        for (_, inputs) in &mut hard {
            samples::drop_foreign(inputs, &graph)?;
        }
    }
    hard.extend(steps);
    let (mut hard, left_out) = stress::possible(&mut judge.runners, hard);
    *cases = hard.first().cloned().into_iter().collect();
    let mut report = judge.compare(&hard)?;
    let names = hard.iter().map(|(name, _)| name.clone()).collect();
    let worst = report.worst().and_then(|pair| pair.case.clone());
    let worst = hard
        .iter()
        .position(|(name, _)| Some(name) == worst.as_ref());
    let (name, inputs) = hard.swap_remove(worst.unwrap_or(0));
    let mut found = Stress {
        cases: names,
        left_out,
        shrunk: None,
    };
    let mut small = inputs;
    if report.end().outcome == Outcome::Differ {
        let differs = |inputs: &Tensors| {
            let case = [(name.clone(), inputs.clone())];
            judge.compare(&case).is_ok_and(|report| !report.agrees())
        };
        let (least, shrunk) = stress::shrink(&name, &small, differs);
        (small, found.shrunk) = (least, Some(shrunk));
    }
    *cases = vec![(name, small)];
    // What every runner gives for these is what a page and a bundle show.
    judge.compare(cases)?;
    report.stress = Some(found);
    Ok(report)
}

/// What the runners gave for the inputs that were compared last.
fn outputs(judge: &Judge, gave: &Gave, inputs: &Tensors) -> BTreeMap<String, Tensors> {
    let mut outputs = gave.borrow().clone();
    let (_, expected) = split(inputs);
    if !expected.is_empty() {
        outputs.insert(expected::NAME.to_string(), expected);
    }
    if let Some(ruling) = judge.rulings.first() {
        outputs.insert(referee::NAME.to_string(), ruling.exact.clone());
    }
    outputs
}

/// `--greedy` and `--time`.
fn extras(args: &Compare, judge: &mut Judge, inputs: &Tensors, report: &mut Report) -> Result<()> {
    if let Some(count) = args.greedy {
        let mut exact = match &judge.model {
            Some(model) => referee::runner(model, Request::default())?,
            None => None,
        };
        let mut all: Vec<&mut dyn Runner> = Vec::new();
        all.extend(exact.iter_mut().map(|exact| exact as &mut dyn Runner));
        all.extend(judge.runners.iter_mut().map(|runner| &mut **runner as _));
        report.greedy = greedy::continuations(&mut all, inputs, usize::from(count))?;
    }
    if let Some(runs) = args.time {
        report.timings = timing::time(&mut judge.runners, inputs, usize::from(runs))?;
        let mut children = opened(args, judge.request, true)?.runners;
        for (runner, bytes) in timing::memory(&mut children, inputs) {
            let own = report.timings.iter_mut().find(|t| t.runner == runner);
            own.into_iter().for_each(|t| t.peak_bytes = Some(bytes));
        }
    }
    Ok(())
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

/// The first model that says what it is.
fn described(args: &Compare) -> Result<Option<Description>> {
    let mut folders = args.model.iter();
    let Some(folder) = folders.find(|folder| folder.join(CONFIG).is_file()) else {
        return Ok(None);
    };
    let device = super::device(None)?;
    Ok(Some(Model::description(folder, args.task, &device)?))
}

/// The configuration to make up inputs from.
fn configured(args: &Compare) -> Result<NetworkConfig> {
    let described = described(args)?
        .context("there is no config.json to make up inputs from; give --inputs FILE")?;
    Ok(described.config)
}

/// Inputs of the first model that says what it reads, as the exported files take them.
fn made_up(args: &Compare) -> Result<Tensors> {
    let config = configured(args)?;
    let graphs = graphs(&args.model)?;
    // Made-up inputs have no past.
    let first = graphs.iter().map(Graph::without_past);
    let files = first.flat_map(|graph| {
        graph
            .files()
            .into_iter()
            .map(Path::to_path_buf)
            .collect::<Vec<_>>()
    });
    let files: Vec<_> = files.collect();
    let mut inputs = samples::fitting(&config, &files)?;
    for graph in &graphs {
        samples::drop_foreign(&mut inputs, graph)?;
    }
    Ok(inputs)
}

/// The ONNX files among `models`.
fn graphs(models: &[PathBuf]) -> Result<Vec<Graph>> {
    let found = models
        .iter()
        .filter_map(|model| artifact::graph_of(model).transpose());
    Ok(found.collect::<fluxo_compare::Result<_>>()?)
}
