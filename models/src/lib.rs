//! A transformer zoo for Burn: one block, many families, published checkpoints.
//!
//! A family ([`families`]) maps its `config.json` and its tensor names onto one network
//! ([`network`]) made of one block ([`blocks`]). A [`Model`] is a network with its weights,
//! its configuration and its text; it runs on every Burn backend.
//!
//! # Axes
//! Tensors' shapes stand beside them in these words:
//!
//! | name | meaning |
//! |---|---|
//! | `batch` | rows of the input |
//! | `seq` | positions of this call |
//! | `past` | positions in the cache, before this call's |
//! | `query`, `key` | positions that look, positions that are looked at (`past + seq`) |
//! | `heads`, `kv_heads` | query heads, key and value heads |
//! | `head_dim` | values a head has |
//! | `d_model` | width of the residual stream |
//! | `d_ff` | width inside the feed-forward network |
//! | `vocab` | tokens |

pub mod answer;
pub mod audio;
pub mod batch;
pub mod blocks;
pub mod catalog;
pub mod chat;
pub mod checkpoint;
pub mod config;
pub mod error;
pub mod families;
pub mod files;
pub mod generate;
pub mod head;
pub mod image;
pub mod inputs;
pub mod model;
pub mod named;
pub mod network;
pub mod output;
mod portable;
mod preprocessor;
pub mod rope;
pub mod stack;
pub mod task;
pub mod tensors;
pub mod text;

pub use batch::Batch;
pub use blocks::cache::{Cache, KeyValue, LayerCache};
pub use blocks::probe::{ModuleIo, Probe, Weights};
pub use blocks::taps::Taps;
pub use checkpoint::report::LoadReport;
pub use error::{Error, Result};
pub use families::Preset;
pub use model::{Model, NewModelOptions, OutputOptions};
pub use named::AnyRank;
pub use network::{Network, NetworkConfig};
pub use output::Output;
pub use task::Task;
pub use tensors::Tensors;
pub use text::Text;
