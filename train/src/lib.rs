//! Trains the models of the Fluxo zoo: tasks, data, the loop, and the run folder.
//!
//! [`train`] is the whole of it. What a run can teach, and from what data:
//!
//! | task | data |
//! |---|---|
//! | `text-generation`, `fill-mask` | text files, or folders of them |
//! | `text-classification` | `.jsonl` or `.tsv` files of `text` and `label`, or folders of them |
//! | `text2text-generation` | the same of `source` and `target` |
//! | `image-classification` | folders with a folder of PNG or JPEG files for each class |
//!
//! A line of JSONL is an object with both fields; a line of TSV is the first field, a tab and
//! the second (or a first line names the two in another order). Speech recognition and the
//! comparison of texts and images (CLIP) cannot be trained here.
//!
//! A run folder looks like this:
//!
//! ```text
//! OUT/config.json, model.safetensors    the model with the best validation loss, a checkpoint
//! OUT/train.toml                        the configuration, every default filled in
//! OUT/metrics.jsonl, loss.svg           what was measured, and its picture
//! OUT/last/                             the last weights, the optimiser's moments, the counters
//! ```
//!
//! A run is a pure function of its configuration and its data: batches are drawn from the seed
//! and the step alone, so a stopped and resumed run ends in the same weights as one that was
//! never stopped (bit for bit on a CPU backend).

mod clip;
mod config;
mod data;
mod error;
mod metrics;
mod model;
mod optimizer;
mod plot;
mod progress;
mod run;
mod schedule;
mod scores;
mod stop;
mod synthetic;
mod task;
mod trainer;
mod update;

pub use config::TrainConfig;
pub use error::{Error, Result};
pub use metrics::Summary;
pub use stop::stop_on_ctrl_c;
pub use synthetic::SyntheticTraining;
pub use trainer::{RunOptions, train};
