//! Trains the models of the Fluxo zoo: tasks, data, the loop, and the run folder.
//!
//! [`train`] is the whole of it. A run folder looks like this:
//!
//! ```text
//! OUT/config.json, model.safetensors    the model with the best validation loss, a checkpoint
//! OUT/train.toml                        the configuration, every default filled in
//! OUT/metrics.jsonl, loss.svg           what was measured, and its picture
//! OUT/last/                             the last weights, the optimiser's moments, the counters
//! ```
//!
//! A run is a pure function of its configuration and its text: batches are drawn from the seed
//! and the step alone, so a stopped and resumed run ends in the same weights as one that was
//! never stopped (bit for bit on a CPU backend).

mod clip;
mod config;
mod data;
mod error;
mod metrics;
mod optimizer;
mod plot;
mod progress;
mod run;
mod schedule;
mod stop;
mod task;
mod trainer;

pub use config::TrainConfig;
pub use error::{Error, Result};
pub use metrics::Summary;
pub use stop::stop_on_ctrl_c;
pub use trainer::{RunOptions, train};
