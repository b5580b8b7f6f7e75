//! One comparison from beginning to end: models are opened, run and judged, and what else was asked is
//! looked at.

mod absent;
mod compared;
mod ending;
mod judge;
mod made_up;
mod stressed;

use std::path::{Path, PathBuf};

use fluxo_models::{OutputOptions, Tensors};
use fluxo_verify::diff::AllClose;
use fluxo_verify::inputs::split;
use fluxo_verify::report::{Report, Verdict};

use crate::checkpoint_cache::CheckpointCache;
use crate::checks::{generation, timing};
use crate::error::{Error, Result};
use crate::inputs::steps::steps;
use crate::open::{Given, How, Opened, Sources};
use crate::referee;
use crate::runner::{Runner, expected, recorder};
use judge::Judge;

pub use compared::Compared;

/// What is compared, and how it is judged.
///
/// ```no_run
/// # fn main() -> Result<(), fluxo_compare::Error> {
/// use fluxo_compare::Comparison;
///
/// let compared = Comparison::of(["my-run", "my-export"]).on(["flex", "tract"]).run()?;
/// assert!(compared.report.agrees(), "{}", compared.report);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Comparison {
    /// Checkpoint folders, exported folders and `.onnx` files, and what checkpoints are loaded for.
    pub models: Vec<Given>,
    /// Backends and runtimes; everything that is here where there are none.
    pub on: Vec<String>,
    /// The inputs, expected outputs (`out.*`) among them; made up where there are none.
    pub inputs: Option<Tensors>,
    /// Whether the taps of the residual stream are compared too.
    pub taps: bool,
    /// Hard inputs in place of plain ones, and random ones of so many seeds.
    pub stress: Option<u64>,
    /// The largest scaled difference, in place of the referee.
    pub tolerance: Option<f64>,
    /// What any two values may differ by, beside the referee.
    pub close: Option<AllClose>,
    /// How many tokens each runner writes.
    pub generate: Option<usize>,
    /// How many runs of each are timed.
    pub time: Option<usize>,
    /// Whether the part is looked for in which each runner differs.
    pub locate: bool,
    /// Whether every runner is a process of its own; needs [`Comparison::program`].
    pub isolate: bool,
    /// The `fluxo` binary, for runners in processes of their own: memory is measured in such.
    pub program: Option<PathBuf>,
    /// Whether what the runners gave is handed out.
    pub record: bool,
}

impl Comparison {
    /// Of the models at these paths.
    pub fn of<P: Into<PathBuf>>(models: impl IntoIterator<Item = P>) -> Self {
        let models = models.into_iter().map(|path| Given::from(path.into()));
        Self {
            models: models.collect(),
            ..Self::default()
        }
    }

    /// On these backends and runtimes.
    #[must_use]
    pub fn on<N: Into<String>>(self, names: impl IntoIterator<Item = N>) -> Self {
        let on = names.into_iter().map(Into::into).collect();
        Self { on, ..self }
    }

    /// On these inputs.
    #[must_use]
    pub fn inputs(self, inputs: Tensors) -> Self {
        Self {
            inputs: Some(inputs),
            ..self
        }
    }

    /// Within this largest scaled difference, in place of the referee.
    #[must_use]
    pub fn tolerance(self, tolerance: f64) -> Self {
        Self {
            tolerance: Some(tolerance),
            ..self
        }
    }

    /// And the part in which a runner differs.
    #[must_use]
    pub fn locate(self) -> Self {
        Self {
            locate: true,
            ..self
        }
    }

    /// Compares. What was asked for beside that and failed is in the conclusion.
    ///
    /// # Errors
    /// When a path is no model, a runner is unknown or not here, or the inputs do not fit.
    pub fn run(&self) -> Result<Compared> {
        self.check()?;
        // Expected hidden states are there to be compared with.
        let mut names = self.inputs.iter().flat_map(Tensors::keys);
        let request = OutputOptions {
            hidden_states: names
                .any(|name| name.starts_with("out.") && name.contains("hidden_states.")),
            taps: self.taps,
        };
        let mut sources = Sources::new(&self.models, &self.on)?;
        let cache = CheckpointCache::default();
        let how = match (self.isolate, self.in_turn()) {
            (true, _) => How::Isolated(self.binary()?),
            (false, true) => How::InTurn(&cache),
            (false, false) => How::Held,
        };
        let Opened {
            runners,
            skipped,
            model,
            request,
        } = match sources.open(request, how) {
            Ok(opened) => opened,
            Err(error) => return ending::unopened(error),
        };
        let (runners, gave) = recorder::record(runners);
        let mut judge = Judge {
            model,
            once: self.in_turn(),
            runners,
            request,
            close: self.close,
            tolerance: self.tolerance,
            references: Vec::new(),
        };
        let steps = match (&self.inputs, &judge.model) {
            (None, Some(model)) if !self.in_turn() => steps(model, &sources.files())?,
            _ => Vec::new(),
        };
        let mut cases = match &self.inputs {
            Some(inputs) => vec![("on these inputs".to_string(), inputs.clone())],
            None if self.stress.is_some() => Vec::new(),
            None => vec![(
                "on these inputs".to_string(),
                made_up::inputs(&self.models, &sources.files())?,
            )],
        };
        let compared = match self.stress {
            Some(seeds) => {
                let files = sources.files();
                let config = made_up::imaged(&self.models, &files)?;
                stressed::stressed(&config, &files, seeds, &mut judge, &mut cases, steps)
            }
            None => judge.decoded(&cases, steps),
        };
        let Some((_, inputs)) = cases.first() else {
            // Not even what to compare was found.
            let none = || Error::Other("there are no inputs".into());
            return Err(compared.err().unwrap_or_else(none));
        };
        let names = judge.runners.iter().map(|runner| runner.name().to_string());
        let (mut report, mut unable) = ending::compared(compared, names.collect());
        report.skipped.extend(skipped);
        let outputs = self.record.then(|| {
            let mut outputs = gave.borrow().clone();
            let (_, expected) = split(inputs);
            if !expected.is_empty() {
                outputs.insert(expected::NAME.to_string(), expected);
            }
            if let Some(reference) = judge.references.first() {
                outputs.insert(referee::NAME.to_string(), reference.exact.clone());
            }
            outputs
        });
        let mut rest = Ok(());
        if !report.pairs.is_empty() {
            rest = self.extras(&mut judge, &mut sources, inputs, &mut report);
        }
        if self.locate && rest.is_ok() && !report.pairs.is_empty() {
            // The search loads what it needs, one runner at a time.
            drop((judge, gave));
            cache.clear();
            rest = located(&mut sources, inputs, &mut report);
        }
        if let Some(absent) = absent::absent(self.models.len(), &self.on, &report) {
            report.verdict = Verdict::Differ;
            unable.push(absent);
        }
        if !self.on.is_empty() {
            unable.extend(ending::failed(&report));
        }
        unable.extend(rest.err().map(|error| ending::without(&error)));
        let conclusion = report.conclude(&unable);
        Ok(Compared {
            report,
            conclusion,
            inputs: Some(inputs.clone()),
            outputs,
        })
    }

    /// What is refused before hours of work, and not after them.
    fn check(&self) -> Result<()> {
        if self.generate.is_some()
            && let Ok(Some(described)) = made_up::described(&self.models)
            && !described.class.task.generates()
        {
            let reason = "--greedy is for models that write text, and this one does not";
            return Err(Error::Other(reason.into()));
        }
        Ok(())
    }

    /// Whether every runner runs once, so that one needs to be in memory at a time.
    fn in_turn(&self) -> bool {
        let again = self.stress.is_some() || self.generate.is_some() || self.time.is_some();
        self.locate && !self.isolate && !again
    }

    fn binary(&self) -> Result<&Path> {
        let none = || Error::Other("processes of their own need the fluxo binary".into());
        self.program.as_deref().ok_or_else(none)
    }

    /// The texts that runners write, and how long they take.
    fn extras(
        &self,
        judge: &mut Judge,
        sources: &mut Sources,
        inputs: &Tensors,
        report: &mut Report,
    ) -> Result<()> {
        if let Some(count) = self.generate {
            let mut exact = match &judge.model {
                Some(model) => referee::runner(model, OutputOptions::default())?,
                None => None,
            };
            let mut all: Vec<&mut dyn Runner> = Vec::new();
            all.extend(exact.iter_mut().map(|exact| exact as &mut dyn Runner));
            all.extend(judge.runners.iter_mut().map(|runner| &mut **runner as _));
            report.greedy = generation::continuations(&mut all, inputs, count)?;
        }
        if let Some(runs) = self.time {
            report.timings = timing::time(&mut judge.runners, inputs, runs)?;
            if let Some(program) = &self.program {
                let mut children = sources.open(judge.request, How::Isolated(program))?.runners;
                for (runner, bytes) in timing::memory(&mut children, inputs) {
                    let own = report.timings.iter_mut().find(|t| t.runner == runner);
                    own.into_iter().for_each(|t| t.peak_bytes = Some(bytes));
                }
            }
        }
        Ok(())
    }
}

/// Where each runner parts from the referee.
fn located(sources: &mut Sources, inputs: &Tensors, report: &mut Report) -> Result<()> {
    let none =
        || Error::Other("--locate needs a backend in float64 (flex, ndarray) to judge by".into());
    report.place(sources.locate(inputs)?.ok_or_else(none)?);
    Ok(())
}
