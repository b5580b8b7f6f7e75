//! The arguments of `fluxo compare`.

use std::path::PathBuf;

use fluxo_models::Task;

#[derive(Debug, clap::Args)]
pub struct Compare {
    /// Checkpoint folders, exported folders, or .onnx files.
    #[arg(required = true)]
    pub model: Vec<PathBuf>,
    /// Where to run, with commas between [default: everything that works here].
    #[arg(long, value_name = "NAME,NAME", value_delimiter = ',')]
    pub on: Vec<String>,
    /// Load the checkpoints for this task instead of their own.
    #[arg(long)]
    pub task: Option<Task>,
    /// A safetensors file with inputs and, as out.*, expected outputs [default: made-up tokens].
    #[arg(long, value_name = "FILE")]
    pub inputs: Option<PathBuf>,
    /// Compare every tap of every layer too.
    #[arg(long)]
    pub taps: bool,
    /// The largest difference that still agrees, relative to outputs over 1.
    #[arg(long, value_name = "X")]
    pub tolerance: Option<f64>,
    /// Find the module in which each runner parts from the float64 run of the first checkpoint.
    #[arg(long)]
    pub locate: bool,
    /// What any two values may differ by, with --rtol of the larger one added; both decide instead
    /// of the referee [default: 0 with --rtol].
    #[arg(long, value_name = "X", conflicts_with = "tolerance")]
    pub atol: Option<f64>,
    /// The part of the larger value that any two may differ by [default: 0 with --atol].
    #[arg(long, value_name = "X", conflicts_with = "tolerance")]
    pub rtol: Option<f64>,
    /// Let each runner write N tokens behind each row, and count those in common.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub greedy: Option<u16>,
    /// Time N runs of each runner after one that warms up, in turn, and measure its memory.
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "11", value_parser = clap::value_parser!(u16).range(1..))]
    pub time: Option<u16>,
    /// Run each runner in a process of its own: one that crashes takes no other down.
    #[arg(long)]
    pub isolate: bool,
    /// Try hard inputs: lengths, padding, masked rows, extreme tokens and values, random ones.
    #[arg(long, conflicts_with = "inputs")]
    pub stress: bool,
    /// With --stress: how many random inputs.
    #[arg(long, value_name = "N", default_value_t = 4, requires = "stress")]
    pub seeds: u64,
    /// Write what was found as one page for a browser.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Write a new folder that repeats the finding: model, inputs, outputs, report, machine.
    #[arg(long, value_name = "DIR")]
    pub bundle: Option<PathBuf>,
}
