//! Transformers in [Burn](burn): train one, export it to ONNX, run it everywhere else, and prove that it
//! still computes the same thing.
//!
//! This crate is the front door: each room behind it is a module here, and what most programs need is
//! in the [`prelude`]. The binary `fluxo` (package `fluxo-cli`) stands on the same rooms.
//!
//! # Run a checkpoint
//!
//! A folder as published, `config.json` and weights, on a backend chosen by name:
//!
//! ```
//! use fluxo::prelude::*;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let device = fluxo::backends::device("flex")?;
//! # let folder = tempfile::tempdir()?;
//! # Model::new("bert", &NewModelOptions::default(), 7, &device)?.save(folder.path())?;
//! # let path = folder.path();
//! let (model, report) = Model::load(path, None, &device)?;
//! assert!(report.unused.is_empty());
//! let ids = burn::tensor::TensorData::from([[5_i64, 1, 4]]);
//! let inputs = Tensors::from([("input_ids".to_string(), ids)]);
//! let outputs = model.run(&inputs, &OutputOptions::default())?;
//! assert_eq!(outputs["last_hidden_state"].shape().as_slice()[..2], [1, 3]);
//! # Ok(())
//! # }
//! ```
//!
//! # Export a module
//!
//! Any Burn module, with every size open that its description leaves open; and proof, in the runtimes
//! that are here:
//!
//! ```
//! use burn::nn::{Linear, LinearConfig};
//! use fluxo::prelude::*;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let layer: Linear = LinearConfig::new(4, 3).init(&fluxo::backends::device("flex")?);
//! let spec = Spec::new("layer").input(Input::float("x", ["batch".into(), Dim::Fixed(4)]));
//! let forward = |layer: &Linear, args: &mut Args<'_>| {
//!     Outputs::new().float("y", layer.forward(args.float::<2>("x")))
//! };
//! let model = fluxo::onnx::export(&layer, &spec, &Options::default(), forward)?;
//! assert_eq!(model.outputs()[0].dims, ["batch", "3"]);
//! let report = fluxo::verify_module(&layer, &spec, forward)?;
//! assert!(report.agrees(), "{report}");
//! # Ok(())
//! # }
//! ```
//!
//! # Compare
//!
//! Checkpoints, exported folders and other programs' ONNX files on backends and in runtimes, judged by
//! the model in float64 and its measured rounding:
//!
//! ```
//! # #[cfg(feature = "compare")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use fluxo::prelude::*;
//!
//! # let device = fluxo::backends::device("flex")?;
//! # let folder = tempfile::tempdir()?;
//! # let (checkpoint, exported) = (folder.path().join("a"), folder.path().join("b"));
//! # Model::new("gpt2", &NewModelOptions::default(), 7, &device)?.save(&checkpoint)?;
//! let (model, _) = Model::load(&checkpoint, None, &device)?;
//! fluxo::compare::export(&model, &exported, &ExportOptions::default())?;
//! let compared = Comparison::of([checkpoint, exported]).on(["flex", "tract"]).run()?;
//! assert!(compared.report.agrees(), "{}", compared.report);
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "compare"))]
//! # fn main() {}
//! ```
//!
//! # Train
//!
//! A pure function of its configuration and its data; the run folder is a checkpoint:
//!
//! ```
//! # #[cfg(feature = "train")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use fluxo::prelude::*;
//!
//! # let folder = tempfile::tempdir()?;
//! let data = folder.path().join("text.txt");
//! std::fs::write(&data, "the stream carries what every layer writes, and ".repeat(60))?;
//! let mut config = TrainConfig::new("gpt2", vec![data], &folder.path().join("run"));
//! (config.steps, config.sequence_length) = (3, 32);
//! let options = RunOptions { quiet: true, ..RunOptions::default() };
//! let summary = fluxo::train::train(&config, &fluxo::backends::device("flex")?, &options)?;
//! assert!(summary.out.join("model.safetensors").is_file());
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "train"))]
//! # fn main() {}
//! ```

pub use fluxo_backends as backends;
#[cfg(feature = "compare")]
pub use fluxo_compare as compare;
#[cfg(feature = "inspect")]
pub use fluxo_inspect as inspect;
pub use fluxo_models as models;
pub use fluxo_onnx as onnx;
#[cfg(feature = "train")]
pub use fluxo_train as train;
pub use fluxo_verify as verify;

pub use fluxo_verify::assert_consistent;
#[cfg(feature = "flex")]
pub use fluxo_verify::{ModuleCheck, verify_module};

/// What most programs need.
pub mod prelude {
    #[cfg(feature = "compare")]
    pub use fluxo_compare::{Comparison, ExportOptions};
    pub use fluxo_models::{Model, NewModelOptions, OutputOptions, Task, Tensors};
    pub use fluxo_onnx::{Args, Dim, Input, Options, Outputs, Spec, Target};
    #[cfg(feature = "train")]
    pub use fluxo_train::{RunOptions, TrainConfig};
    pub use fluxo_verify::Report;
}
