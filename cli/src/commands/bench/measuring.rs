//! What is timed, and how.

use anyhow::Result;
use burn::tensor::{DType, Device};
use fluxo_compare::checks::timing::{Job, in_turn};
use fluxo_compare::engine::OnnxEngine;
use fluxo_compare::files::OnnxModelFiles;
use fluxo_compare::inputs::samples;
use fluxo_compare::open::{self, Given};
use fluxo_compare::runner::precision;
use fluxo_models::generate::{Engine, Prompts, Sampling, generate_on};
use fluxo_models::{Model, OutputOptions};
use fluxo_train::SyntheticTraining;

use super::{Document, Measured, Row};
use crate::args::Bench;
use crate::print::Print;

/// The tokens of the prompt that is written behind.
const PROMPT: usize = 32;

pub struct Measuring<'a> {
    pub args: &'a Bench,
    pub graph: Option<OnnxModelFiles>,
    pub document: Document,
}

/// One of the three things that are measured.
type Column = fn(&mut Row) -> &mut Option<Measured>;

impl Measuring<'_> {
    pub fn forward(&mut self, model: &Model, names: &[String], print: Print) -> Result<()> {
        let mut inputs =
            samples::inputs(model.config(), self.document.batch, self.document.sequence);
        if let Some(graph) = &self.graph {
            samples::drop_foreign(&mut inputs, graph)?;
        }
        let given = Given {
            path: self.args.model.clone(),
            task: self.args.task,
        };
        let request = OutputOptions::default();
        let opened = open::open(&[given], names, request)?;
        for skipped in &opened.skipped {
            let line = format!("{}: {}", skipped.runner, skipped.reason);
            self.document.skipped.push(line);
        }
        let (batch, sequence) = (self.document.batch, self.document.sequence);
        print.aside(format!("a pass of {batch} x {sequence}"))?;
        let mut runners = opened.runners;
        let inputs = &inputs;
        let jobs = runners.iter_mut().map(|runner| {
            let name = runner.name().to_string();
            Job::new(&name, move || runner.run(inputs).map(drop))
        });
        let mut jobs: Vec<_> = jobs.collect();
        self.measure(
            "a pass",
            &mut jobs,
            self.document.batch * self.document.sequence,
            |row| &mut row.forward,
        );
        Ok(())
    }

    pub fn decoding(&mut self, described: &Model, names: &[String], print: Print) -> Result<()> {
        let new = usize::from(self.args.new_tokens);
        print.aside(format!("{new} tokens written behind a prompt"))?;
        let prompts = prompts(described);
        let sampling = Sampling::default();
        let mut writers = Vec::new();
        for name in names {
            match self.writer(name, described) {
                Ok(writer) => writers.push((name, writer)),
                Err(error) => self.skip(name, "writing", &error),
            }
        }
        let (prompts, sampling) = (&prompts, &sampling);
        let jobs = writers.iter().map(|(name, writer)| {
            Job::new(name, move || {
                let (engine, model): (&dyn Engine, &Model) = match writer {
                    Writer::Backend(model) => (&**model, model),
                    Writer::Runtime(engine) => (&**engine, described),
                };
                let texts = generate_on(engine, model, prompts, new, sampling, |_, _| {});
                texts.map(drop).map_err(failed)
            })
        });
        let mut jobs: Vec<_> = jobs.collect();
        self.measure("writing", &mut jobs, new, |row| &mut row.decoding);
        Ok(())
    }

    fn writer(&self, name: &str, described: &Model) -> Result<Writer> {
        Ok(match &self.graph {
            None => Writer::Backend(Box::new(self.model(name)?)),
            Some(graph) => Writer::Runtime(Box::new(OnnxEngine::open(graph, name, described)?)),
        })
    }

    pub fn training(&mut self, names: &[String], print: Print) -> Result<()> {
        print.aside(format!(
            "an update of {} x {}",
            self.document.batch, self.document.sequence
        ))?;
        let mut learners = Vec::new();
        for name in names {
            let learner = self.model(name).and_then(|model| {
                Ok(SyntheticTraining::new(
                    model,
                    self.document.batch,
                    self.document.sequence,
                )?)
            });
            match learner {
                Ok(learner) => learners.push((name, learner)),
                Err(error) => self.skip(name, "training", &error),
            }
        }
        let jobs = learners
            .iter_mut()
            .map(|(name, learner)| Job::new(name, || learner.step().map(drop).map_err(failed)));
        let mut jobs: Vec<_> = jobs.collect();
        let tokens = self.document.batch * self.document.sequence;
        self.measure("training", &mut jobs, tokens, |row| &mut row.training);
        Ok(())
    }

    /// The checkpoint on the backend `name`.
    fn model(&self, name: &str) -> Result<Model> {
        let (backend, dtype) = precision(name);
        let device = fluxo_backends::device(backend)?;
        let dtype = dtype.unwrap_or(DType::F32);
        let (model, _) = Model::load_as(&self.args.model, self.args.task, &device, dtype)?;
        Ok(model)
    }

    /// Times `jobs`, each of which is about `tokens` tokens, and puts what was found into `column`.
    fn measure(&mut self, what: &str, jobs: &mut [Job<'_>], tokens: usize, column: Column) {
        let timings = in_turn(jobs, self.document.runs);
        for (job, timing) in jobs.iter_mut().zip(timings) {
            let timing = match timing {
                Ok(timing) => timing,
                Err(error) => {
                    self.skip(&job.name, what, &error.into());
                    continue;
                }
            };
            let device = device(&job.name);
            let launches = device
                .as_ref()
                .map(|device| fluxo_backends::launches(device, || job.once()).1);
            let launches = launches.map(|kernels| kernels.values().sum());
            let mut rows = self.document.rows.iter_mut();
            if let Some(row) = rows.find(|row| row.runner == job.name) {
                *column(row) = Some(Measured {
                    median_ms: timing.median_ms,
                    lower_ms: timing.lower_ms,
                    upper_ms: timing.upper_ms,
                    tokens_per_second: tokens as f64 / timing.median_ms * 1e3,
                    launches,
                    device_bytes: device.and_then(|device| held(&device)),
                });
            }
        }
    }

    fn skip(&mut self, name: &str, what: &str, error: &anyhow::Error) {
        self.document
            .skipped
            .push(format!("{name}, {what}: {error:#}"));
    }
}

/// What writes: a checkpoint on a backend, or an exported model in a runtime.
enum Writer {
    Backend(Box<Model>),
    Runtime(Box<OnnxEngine>),
}

/// One prompt of made-up tokens, or the sound that the model writes down.
fn prompts(model: &Model) -> Prompts {
    let mut inputs = samples::inputs(model.config(), 1, PROMPT);
    if let Some(sound) = inputs.remove("input_features") {
        return Prompts::Sound(sound);
    }
    let tokens = inputs.remove("input_ids");
    let tokens = tokens.iter().flat_map(|ids| ids.iter::<i64>());
    Prompts::Tokens(vec![tokens.map(|token| token as u32).collect()])
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> fluxo_compare::Error {
    fluxo_compare::Error::Other(Box::new(error))
}

/// The device of a backend that runs on a card.
fn device(name: &str) -> Option<Device> {
    let (backend, _) = precision(name);
    let gpu = fluxo_backends::is_gpu(backend);
    gpu.then(|| fluxo_backends::device(backend).ok()).flatten()
}

/// The bytes that `device` holds of its memory.
fn held(device: &Device) -> Option<u64> {
    Some(device.memory_pool_usage()?.bytes_reserved)
}
