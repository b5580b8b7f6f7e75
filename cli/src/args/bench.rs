//! The arguments of `fluxo bench`.

use std::path::PathBuf;

use fluxo_models::Task;

#[derive(Debug, clap::Args)]
pub struct Bench {
    /// A checkpoint folder, an exported folder, or an .onnx file.
    pub model: PathBuf,
    /// Where to run, with commas between: backends for a checkpoint (flex, wgpu, wgpu:unfused,
    /// cuda:bf16), runtimes for an exported folder [default: everything that works here].
    #[arg(long, value_name = "NAME,NAME", value_delimiter = ',')]
    pub on: Vec<String>,
    /// Load the checkpoint for this task instead of its own.
    #[arg(long)]
    pub task: Option<Task>,
    /// How many rows.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    pub batch: u16,
    /// How many tokens a row [default: 128, or the model's positions where they are fewer].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub sequence: Option<u16>,
    /// How many runs are timed, after one that warms up.
    #[arg(long, value_name = "N", default_value_t = 11, value_parser = clap::value_parser!(u16).range(1..))]
    pub runs: u16,
    /// How many tokens are written behind one prompt, where the model writes.
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..))]
    pub new_tokens: u16,
    /// Time updates of its training too.
    #[arg(long)]
    pub train: bool,
}
