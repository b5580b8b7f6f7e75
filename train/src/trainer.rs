//! The loop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use burn::module::Module;
use burn::tensor::Device;
use fluxo_models::{Model, Text};

use crate::config::TrainConfig;
use crate::data::{Row, Split};
use crate::error::{Error, Result};
use crate::metrics::{EvalLine, Line, Metrics, Summary, TrainLine};
use crate::model::{check_length, new_model};
use crate::optimizer::PathAdamW;
use crate::plot;
use crate::progress::Progress;
use crate::run::{Best, Run, State};
use crate::schedule::Schedule;
use crate::scores::{Decisions, Scores};
use crate::task::{self, TrainingTask};
use crate::update::{Gradients, Measured, value};

/// How a run is carried out.
#[derive(Debug, Clone, Default)]
pub struct RunOptions {
    /// Go on with the run in the folder.
    pub resume: bool,
    /// Show nothing.
    pub quiet: bool,
    /// Once true, the run ends after the step it is in, saved; see
    /// [`stop_on_ctrl_c`](crate::stop_on_ctrl_c).
    pub stop: Arc<AtomicBool>,
}

/// Trains as `config` says, on `device`, and leaves the run in `config.out`.
///
/// # Errors
/// When the configuration, the text or the folder does not allow it, when the loss stops being
/// a number, or when something cannot be saved. What was saved before stays as it was.
pub fn train(config: &TrainConfig, device: &Device, options: &RunOptions) -> Result<Summary> {
    let mut trainer = Trainer::new(config.resolved()?, device, options)?;
    let stopped = trainer.run(&options.stop)?;
    trainer.summary(stopped)
}

struct Trainer {
    config: TrainConfig,
    schedule: Schedule,
    run: Run,
    lesson: Box<dyn TrainingTask>,
    model: Model,
    optimizer: PathAdamW,
    state: State,
    /// The step of the checkpoint in `last`.
    saved: usize,
    metrics: Metrics,
    progress: Progress,
    /// With gradients.
    device: Device,
}

impl Trainer {
    fn new(config: TrainConfig, device: &Device, options: &RunOptions) -> Result<Self> {
        let task = task::named(&config)?;
        let text = match &config.tokenizer {
            Some(path) => Text::from_file(path)?,
            None => Text::bytes(),
        };
        let mut lesson = task::open(&config, task, &text)?;
        let device = device.clone().inner();
        let mut optimizer = PathAdamW::new(&config.adamw());
        let mut run = None;
        let mut loaded = None;
        if options.resume {
            let opened = Run::open(&config)?;
            loaded = opened.load_last(&mut optimizer, task, &device)?;
            run = Some(opened);
        }
        let fresh = loaded.is_none();
        let (mut model, state) = match loaded {
            Some(loaded) => loaded,
            None => {
                let state = State {
                    data: lesson.digest().into(),
                    ..State::default()
                };
                (
                    new_model(&config, task, text, lesson.labels(), &device)?,
                    state,
                )
            }
        };
        check_length(&model, &config)?;
        lesson.fit(&model, &config)?;
        if state.data != lesson.digest() {
            return Err(Error::Mismatch {
                out: config.out,
                key: "data with SHA-256",
                was: state.data,
                now: lesson.digest().into(),
            });
        }
        let run = match run {
            Some(run) => run,
            None => Run::create(&config)?, // last, so that a refusal leaves nothing behind
        }
        .with(lesson.files());
        model.network = model.network.train();
        let metrics = Metrics::open(run.metrics(), state.step)?;
        let progress = Progress::new(options.quiet, config.steps, state.step);
        let mut trainer = Self {
            schedule: config.schedule(),
            saved: state.step,
            device: device.autodiff(),
            config,
            run,
            lesson,
            model,
            optimizer,
            state,
            metrics,
            progress,
        };
        if fresh {
            trainer.checkpoint()?;
        }
        Ok(trainer)
    }

    /// Steps until the last one or until `stop`; whether it was `stop`.
    fn run(&mut self, stop: &AtomicBool) -> Result<bool> {
        let before = self.state.seconds;
        let began = Instant::now();
        let (mut logged, mut tokens, mut steps) = (Instant::now(), 0u64, 0usize);
        let mut stopped = false;
        while self.state.step < self.config.steps && !stopped {
            let step = self.state.step + 1;
            let update = self.update(step)?;
            self.state.step = step;
            self.state.tokens += update.tokens;
            self.state.last_loss = update.loss;
            if step == 1 {
                self.state.first_loss = update.loss;
            }
            self.state.seconds = before + began.elapsed().as_secs_f64();
            stopped = stop.load(Ordering::Relaxed) && step < self.config.steps;
            let end = stopped || step == self.config.steps;

            tokens += update.tokens;
            steps += 1;
            let elapsed = logged.elapsed().as_secs_f64().max(1e-9);
            let line = TrainLine {
                step,
                loss: update.loss,
                learning_rate: self.schedule.rate(step),
                gradient_norm: update.gradient_norm,
                tokens_per_second: tokens as f64 / elapsed,
                seconds: self.state.seconds,
            };
            let left = (self.config.steps - step) as f64 * elapsed / steps as f64;
            self.progress.step(&line, left);
            if step == 1 || step.is_multiple_of(self.config.log_every) || end {
                self.metrics.push(Line::Train(line))?;
            }
            let evaluate =
                step.is_multiple_of(self.config.eval_every()) || step == self.config.steps;
            if evaluate {
                self.evaluate()?;
                self.state.seconds = before + began.elapsed().as_secs_f64();
            }
            if step.is_multiple_of(self.config.checkpoint_every()) || end {
                self.checkpoint()?;
            }
            if evaluate || step.is_multiple_of(self.config.log_every) {
                (logged, tokens, steps) = (Instant::now(), 0, 0);
            }
        }
        self.progress.end();
        Ok(stopped)
    }

    /// One update of the weights, along the gradient of the mean loss over all answers of all
    /// passes: each pass counts by its answers, so that how rows are dealt out to passes changes
    /// nothing.
    fn update(&mut self, step: usize) -> Result<Measured> {
        let (size, examples) = (self.config.batch_size, self.lesson.examples());
        let drawn = |row| Row::drawn(self.config.seed, step, row, examples);
        let rows: Vec<_> = (0..self.config.accumulation * size).map(drawn).collect();
        let answers = self.lesson.answers(Split::Training, &rows) as f64;
        let network = &self.model.network;
        let mut gradients = Gradients::none();
        for rows in rows.chunks(size) {
            let loss = self
                .lesson
                .loss(network, Split::Training, rows, &self.device)?;
            let share = self.lesson.answers(Split::Training, rows) as f64 / answers;
            gradients.add(network, loss, share);
        }
        let (rate, limit) = (self.schedule.rate(step), self.config.clip);
        let network = network.clone();
        let (network, measured) = gradients.apply(network, &mut self.optimizer, rate, limit)?;
        self.model.network = network;
        // What is not finite ends the run, and nothing of it is saved.
        self.finite(step, "loss", measured.loss)?;
        self.finite(step, "gradient norm", measured.gradient_norm)?;
        Ok(measured)
    }

    /// Measures the loss on what was held back, and saves the model where it is the best yet.
    fn evaluate(&mut self) -> Result<()> {
        let (loss, scores) = self.evaluated()?;
        let step = self.state.step;
        self.finite(step, "evaluation loss", loss)?;
        let best = self.state.best.is_none_or(|best| loss < best.loss);
        if best {
            self.run.save_best(&self.model)?;
            self.state.best = Some(Best { loss, step, scores });
        }
        let line = EvalLine {
            step,
            eval_loss: loss,
            eval_accuracy: scores.map(|scores| scores.accuracy),
            eval_macro_f1: scores.map(|scores| scores.macro_f1),
            seconds: self.state.seconds,
        };
        self.progress.eval(&line, best);
        self.metrics.push(Line::Eval(line))
    }

    /// Saves what the run goes on from, and the picture; before the first evaluation also the
    /// model, so that the folder is a checkpoint at any time.
    fn checkpoint(&mut self) -> Result<()> {
        if self.state.best.is_none() {
            self.run.save_best(&self.model)?;
        }
        self.run
            .save_last(&self.model, &self.optimizer, &self.state)?;
        self.saved = self.state.step;
        plot::write(
            &self.run.plot(),
            &self.metrics.losses(),
            &self.metrics.eval_losses(),
        )
    }

    /// The mean loss over the examples that evaluation looks at, each answer counting alike, and
    /// how often their class is chosen.
    fn evaluated(&self) -> Result<(f32, Option<Scores>)> {
        let network = self.model.network.valid();
        let device = self.device.clone().inner();
        let most = self.config.eval_batches * self.config.batch_size;
        let row = |example| Row::evaluated(self.config.seed, example);
        let rows: Vec<_> = self.lesson.evaluated(most).into_iter().map(row).collect();
        let (mut total, mut all) = (0f64, 0f64);
        let mut decisions = Decisions::default();
        for rows in rows.chunks(self.config.batch_size) {
            let loss = self
                .lesson
                .loss(&network, Split::Evaluation, rows, &device)?;
            let answers = self.lesson.answers(Split::Evaluation, rows) as f64;
            total += f64::from(value(loss.mean)?) * answers;
            all += answers;
            if let Some(decided) = loss.decided {
                decisions.add(decided)?;
            }
        }
        Ok(((total / all) as f32, decisions.scores()))
    }

    fn finite(&self, step: usize, what: &'static str, value: f32) -> Result<()> {
        if value.is_finite() {
            return Ok(());
        }
        self.progress.end();
        Err(Error::NotFinite {
            step,
            what,
            value,
            learning_rate: self.config.learning_rate,
            saved: self.saved,
        })
    }

    fn summary(self, stopped: bool) -> Result<Summary> {
        let scores = self.state.best.and_then(|best| best.scores);
        Ok(Summary {
            family: self.config.family,
            parameters: self.model.network.num_params(),
            stopped,
            steps: self.state.step,
            tokens: self.state.tokens,
            seconds: self.state.seconds,
            first_loss: self.state.first_loss,
            last_loss: self.state.last_loss,
            best_eval_loss: self.state.best.map(|b| b.loss),
            best_step: self.state.best.map(|b| b.step),
            accuracy: scores.map(|scores| scores.accuracy),
            macro_f1: scores.map(|scores| scores.macro_f1),
            losses: self.metrics.losses(),
            eval_losses: self.metrics.eval_losses(),
            out: self.config.out,
        })
    }
}
