//! The run folder: what lies where, and how it stays whole when the process is killed.

use std::fs;
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::tensor::Device;
use fluxo_models::{Model, Task, files, tensors};
use serde::{Deserialize, Serialize};

use crate::config::TrainConfig;
use crate::error::{Error, Result};
use crate::metrics::read_json;
use crate::optimizer::PathAdamW;
use crate::scores::Scores;

/// The resolved configuration's file.
pub(crate) const CONFIG: &str = "train.toml";
const METRICS: &str = "metrics.jsonl";
const PLOT: &str = "loss.svg";
const LAST: &str = "last";
const LAST_NEW: &str = "last.new";
const LAST_OLD: &str = "last.old";
const MOMENTS: &str = "optimizer.safetensors";
const STATE: &str = "state.json";

/// Everything beside weights and moments that a run goes on from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    /// Updates done.
    pub(crate) step: usize,
    pub(crate) seconds: f64,
    pub(crate) tokens: u64,
    pub(crate) first_loss: f32,
    pub(crate) last_loss: f32,
    pub(crate) best: Option<Best>,
    /// SHA-256 of the data.
    pub(crate) data: String,
}

/// The evaluation that the model in the run folder is from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Best {
    pub(crate) loss: f32,
    pub(crate) step: usize,
    /// How often it chooses the right class, where there are classes.
    #[serde(default)]
    pub(crate) scores: Option<Scores>,
}

/// A run's folder.
pub(crate) struct Run {
    out: PathBuf,
    /// What belongs beside the weights: names and contents of files.
    beside: Vec<(&'static str, Vec<u8>)>,
}

impl Run {
    /// The folder of a run to be started: made where it is missing, refused where it holds
    /// anything.
    pub(crate) fn create(config: &TrainConfig) -> Result<Self> {
        let run = Self {
            out: config.out.clone(),
            beside: Vec::new(),
        };
        files::make_folder(&run.out)?;
        let mut entries = fs::read_dir(&run.out).map_err(Error::io(&run.out))?;
        if entries.next().is_some() {
            return Err(Error::Exists(run.out));
        }
        run.write_config(config)?;
        Ok(run)
    }

    /// The folder of a run to go on with; one that was killed while it saved is put in order.
    pub(crate) fn open(config: &TrainConfig) -> Result<Self> {
        let started = TrainConfig::of_run(&config.out)?;
        let model = |c: &TrainConfig| toml::to_string(&c.model).unwrap_or_default();
        for (key, was, now) in [
            ("family", started.family.clone(), config.family.clone()),
            ("task", started.task.clone(), config.task.clone()),
            ("preset", started.preset.clone(), config.preset.clone()),
            ("model", model(&started), model(config)),
        ] {
            if was != now {
                let shown = |s: String| s.trim().replace('\n', ", ");
                let (was, now) = (shown(was), shown(now));
                return Err(Error::Mismatch {
                    out: config.out.clone(),
                    key,
                    was,
                    now,
                });
            }
        }
        let run = Self {
            out: config.out.clone(),
            beside: Vec::new(),
        };
        run.recover()?;
        run.write_config(config)?;
        Ok(run)
    }

    /// The same with `files` beside the weights.
    pub(crate) fn with(self, files: Vec<(&'static str, Vec<u8>)>) -> Self {
        Self {
            beside: files,
            ..self
        }
    }

    pub(crate) fn metrics(&self) -> PathBuf {
        self.out.join(METRICS)
    }

    pub(crate) fn plot(&self) -> PathBuf {
        self.out.join(PLOT)
    }

    fn write_config(&self, config: &TrainConfig) -> Result<()> {
        let text = toml::to_string(config).map_err(|e| Error::Config(e.to_string()))?;
        let path = self.out.join(CONFIG);
        Ok(files::write_atomic(&path, |file| {
            std::io::Write::write_all(file, text.as_bytes())
        })?)
    }

    /// Saves the model that the run folder stands for.
    pub(crate) fn save_best(&self, model: &Model) -> Result<()> {
        self.save_model(model, &self.out)
    }

    /// Saves what the run goes on from: all of it beside, then in the place of the one before.
    ///
    /// At every instant one of `last` and `last.old` is whole.
    pub(crate) fn save_last(
        &self,
        model: &Model,
        optimizer: &PathAdamW,
        state: &State,
    ) -> Result<()> {
        let [last, new, old] = [LAST, LAST_NEW, LAST_OLD].map(|name| self.out.join(name));
        remove(&new)?;
        files::make_folder(&new)?;
        self.save_model(model, &new)?;
        tensors::write(&new.join(MOMENTS), &optimizer.save(&model.network))?;
        files::write_atomic(&new.join(STATE), |file| {
            Ok(serde_json::to_writer_pretty(file, state)?)
        })?;
        remove(&old)?;
        if last.exists() {
            fs::rename(&last, &old).map_err(Error::io(&last))?;
        }
        fs::rename(&new, &last).map_err(Error::io(&last))?;
        remove(&old)
    }

    /// Saves `model`, without what training hangs on it, as a checkpoint in `dir`.
    fn save_model(&self, model: &Model, dir: &Path) -> Result<()> {
        let mut model = model.clone();
        model.network = model.network.valid();
        model.save(dir)?;
        for (name, contents) in &self.beside {
            files::write_atomic(&dir.join(name), |file| {
                std::io::Write::write_all(file, contents)
            })?;
        }
        Ok(())
    }

    /// What [`Self::save_last`] saved: the model on `device`, its moments put into `optimizer`;
    /// none where the run was killed before it saved.
    pub(crate) fn load_last(
        &self,
        optimizer: &mut PathAdamW,
        task: Task,
        device: &Device,
    ) -> Result<Option<(Model, State)>> {
        let last = self.out.join(LAST);
        if !last.exists() {
            return Ok(None);
        }
        let state: State = read_json(&last.join(STATE))?;
        let (model, _) = Model::load(&last, Some(task), device)?;
        let path = last.join(MOMENTS);
        let moments = tensors::read(&path).map_err(Error::damaged(&path))?;
        optimizer
            .load(&model.network, moments, device)
            .map_err(Error::damaged(&path))?;
        Ok(Some((model, state)))
    }

    /// Undoes half of a save.
    fn recover(&self) -> Result<()> {
        let [last, new, old] = [LAST, LAST_NEW, LAST_OLD].map(|name| self.out.join(name));
        if !last.exists() && old.exists() {
            fs::rename(&old, &last).map_err(Error::io(&old))?;
        }
        remove(&old)?;
        remove(&new)
    }
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::io(folder)(e)),
        _ => Ok(()),
    }
}
