//! The command line.

mod bench;
mod compare;
mod generate;
mod values;

use std::path::PathBuf;

use burn::tensor::DType;
use clap::{Parser, Subcommand};
use fluxo_compare::{TapChoice, Target};
use fluxo_models::{Preset, Task};

pub use bench::Bench;
pub use compare::Compare;
pub use generate::{Generate, Habits, Prompt};
pub use values::Ids;
use values::{dtype, setting, size, taps};

/// Train a transformer in Burn, run it everywhere else, and prove that it still computes the
/// same thing.
#[derive(Debug, Parser)]
#[command(name = "fluxo", version, after_help = "Start with: fluxo demo")]
pub struct Args {
    /// Print one JSON document and nothing else.
    #[arg(long, global = true)]
    pub json: bool,
    /// Print results only: no progress, no hints.
    #[arg(long, short, global = true)]
    pub quiet: bool,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train a tiny model, export it, compare it everywhere, look into its stream.
    #[command(after_help = "Example: fluxo demo --out my-demo")]
    Demo(Demo),
    /// List the families of the zoo.
    #[command(after_help = "Example: fluxo models")]
    Models,
    /// List the backends and runtimes: what this build and this machine can run, and why not.
    #[command(after_help = "Example: fluxo backends --json")]
    Backends,
    /// Make a model with fresh weights.
    #[command(after_help = "Example: fluxo new gpt2 --out fresh --preset tiny --set n_layer=2")]
    New(New),
    /// Show a model's configuration, parameters and load report.
    #[command(after_help = "Example: fluxo info fresh")]
    Info(Info),
    /// Run a model on texts, images, sounds or named tensors, and say what comes out.
    #[command(
        after_help = "Example: fluxo run fresh --inputs in.safetensors --out out.safetensors\n         fluxo run my-vit --image cat.png\n         fluxo run my-squad --question 'Who sang?' --context 'A bird sang.'"
    )]
    Run(Run),
    /// Write text, or token numbers, after a prompt.
    #[command(after_help = "Example: fluxo generate my-run --prompt 'fn main' --max-new-tokens 80")]
    Generate(Generate),
    /// Train a model.
    #[command(
        after_help = "Example: fluxo train gpt2 --task text-generation --data book.txt --out my-run"
    )]
    Train(Train),
    /// Write a model as ONNX, and prove that it computes the same thing.
    #[command(after_help = "Example: fluxo export my-run --out my-export")]
    Export(Export),
    /// Run one or more models in several places and compare every output.
    #[command(after_help = "Example: fluxo compare my-run --on flex,ndarray,tract,rten")]
    Compare(Compare),
    /// Time a model's pass, its writing and its training on several backends, in turn.
    #[command(
        after_help = "Example: fluxo bench my-run --on flex,wgpu --train --batch 4 --sequence 256"
    )]
    Bench(Bench),
    /// Show what each layer writes into the residual stream.
    #[command(after_help = "Example: fluxo inspect my-run --prompt 'fn main'")]
    Inspect(Inspect),
}

#[derive(Debug, clap::Args)]
pub struct Demo {
    /// Where everything is put: a folder that does not exist yet.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// How many steps to train.
    #[arg(long, value_name = "N", default_value_t = 2500)]
    pub steps: usize,
}

#[derive(Debug, clap::Args)]
pub struct New {
    /// The family; `fluxo models` lists them.
    pub family: String,
    /// The folder of the new checkpoint.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Sizes to start from: tiny, small or base.
    #[arg(long, default_value = "tiny")]
    pub preset: Preset,
    /// Sets a key of config.json, e.g. n_layer=2.
    #[arg(long, value_name = "KEY=VALUE", value_parser = setting)]
    pub set: Vec<(String, String)>,
    /// What its head does [default: what the family is best known for].
    #[arg(long)]
    pub task: Option<Task>,
    /// Where the random weights start.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
}

#[derive(Debug, clap::Args)]
pub struct Info {
    /// A checkpoint folder, an exported folder, or an .onnx file.
    pub model: PathBuf,
    /// Load it for this task instead of its own.
    #[arg(long)]
    pub task: Option<Task>,
}

#[derive(Debug, clap::Args)]
pub struct Run {
    /// A checkpoint folder, an exported folder, or an .onnx file.
    pub model: PathBuf,
    #[command(flatten)]
    pub input: RunInput,
    /// What an encoder-decoder's text begins with, behind its start token; one for all rows or one
    /// each [default: the start token alone].
    #[arg(long, value_name = "TEXT", conflicts_with = "decoder_ids")]
    pub decoder_prompt: Vec<String>,
    /// The same as token numbers, the start token among them.
    #[arg(long, value_name = "1,2,3")]
    pub decoder_ids: Vec<Ids>,
    /// The safetensors file to write the outputs to.
    #[arg(long, value_name = "FILE", required_unless_present_any = ["prompt", "chat", "image", "sound"])]
    pub out: Option<PathBuf>,
    /// Load a checkpoint for this task instead of its own.
    #[arg(long)]
    pub task: Option<Task>,
    /// Where it runs: a backend (flex, wgpu:1, ...) or a runtime (tract, rten, ort).
    #[arg(long, value_name = "NAME")]
    pub on: Option<String>,
    /// Write hidden_states.{i} too, as transformers has them.
    #[arg(long)]
    pub hidden_states: bool,
    /// Write every tap of every layer too.
    #[arg(long)]
    pub taps: bool,
    /// The element type of weights and arithmetic on a backend: f32, f16 or bf16.
    #[arg(long, value_name = "TYPE", default_value = "f32", value_parser = dtype)]
    pub dtype: DType,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
pub struct RunInput {
    /// A safetensors file with the inputs by name.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["prompt", "pair", "chat", "image", "sound"])]
    pub inputs: Option<PathBuf>,
    /// A text; several make a batch.
    #[arg(long, visible_alias = "question", value_name = "TEXT")]
    pub prompt: Vec<String>,
    /// The text that a prompt is read together with: where a question's answer is looked for, or
    /// the second of two that are compared; one for all prompts or one each.
    #[arg(
        long,
        visible_alias = "context",
        value_name = "TEXT",
        requires = "prompt"
    )]
    pub pair: Vec<String>,
    /// A message, as the model's chat template puts it.
    #[arg(long, value_name = "TEXT", conflicts_with = "prompt")]
    pub chat: Option<String>,
    /// A PNG or JPEG; several make a batch.
    #[arg(long, value_name = "FILE")]
    pub image: Vec<PathBuf>,
    /// A WAV of 16 kHz.
    #[arg(long, value_name = "FILE")]
    pub sound: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub struct Train {
    /// A family, or a configuration file (.toml); left out to resume the run in --out.
    #[arg(value_name = "CONFIG.toml | FAMILY")]
    pub what: Option<String>,
    /// What the model is to do.
    #[arg(long)]
    pub task: Option<Task>,
    /// What to learn from: text files; lines of pairs (.jsonl, .tsv) for text-classification and
    /// text2text-generation; folders of images, a folder a class, for image-classification; or
    /// folders of such files.
    #[arg(long, value_name = "PATH")]
    pub data: Vec<PathBuf>,
    /// The run folder, which becomes a checkpoint.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Sets a key of the configuration, e.g. steps=500 or model.n_layer=2.
    #[arg(long, value_name = "KEY=VALUE", value_parser = setting)]
    pub set: Vec<(String, String)>,
    /// The backend.
    #[arg(long, value_name = "NAME")]
    pub on: Option<String>,
    /// Go on with the run in --out.
    #[arg(long)]
    pub resume: bool,
}

#[derive(Debug, clap::Args)]
pub struct Export {
    /// A checkpoint folder.
    pub model: PathBuf,
    /// The folder to write.
    #[arg(long, value_name = "DIR", required_unless_present = "check")]
    pub out: Option<PathBuf>,
    /// Write nothing; repeat the check of this exported folder or file beside its checkpoint.
    #[arg(long, value_name = "PATH", conflicts_with_all = ["out", "task", "opset", "target", "dtype", "no_cache", "image_size", "taps", "hidden_states", "static_sizes", "keep", "position_ids"])]
    pub check: Option<PathBuf>,
    /// Export it for this task instead of its own.
    #[arg(long)]
    pub task: Option<Task>,
    /// The version of ONNX's operators, 17 to 24 [default: what serves the target best].
    #[arg(long, value_name = "N")]
    pub opset: Option<i64>,
    /// Where it will run: any, ort, tract, rten or web.
    #[arg(long, value_name = "NAME", default_value = "any")]
    pub target: Target,
    /// The element type of weights: f32, f16 or bf16. Inputs and outputs stay f32, and so does
    /// arithmetic over bf16.
    #[arg(long, value_name = "TYPE", default_value = "f32", value_parser = dtype)]
    pub dtype: DType,
    /// Leave the cache of a decoder out; an encoder-decoder is then one file that reads both
    /// texts whole.
    #[arg(long)]
    pub no_cache: bool,
    /// Height and width of the images it reads [default: what preprocessor_config.json makes of
    /// images, where the model reads any size, and those of the configuration elsewhere].
    #[arg(long, value_name = "N")]
    pub image_size: Option<usize>,
    /// Give taps of the residual stream too: every one, or those named, e.g.
    /// layers.0.t1,layers.1.h.
    #[arg(long, value_name = "NAME,NAME", num_args = 0..=1, default_missing_value = "all", value_parser = taps)]
    pub taps: Option<TapChoice>,
    /// Give the hidden states of every layer too.
    #[arg(long)]
    pub hidden_states: bool,
    /// Take the positions of tokens as an input, position_ids, instead of counting them inside.
    #[arg(long)]
    pub position_ids: bool,
    /// Fix sizes that are open otherwise, e.g. batch=1,sequence=128.
    #[arg(long = "static", value_name = "NAME=N,NAME=N", value_delimiter = ',', value_parser = size)]
    pub static_sizes: Vec<(String, usize)>,
    /// Keep the files where the check does not hold, marked so in their metadata; the exit code
    /// stays 1.
    #[arg(long)]
    pub keep: bool,
}

#[derive(Debug, clap::Args)]
pub struct Inspect {
    /// A checkpoint folder, or a folder that was exported with --taps.
    pub model: PathBuf,
    #[command(flatten)]
    pub input: InspectInput,
    /// Load it for this task instead of its own.
    #[arg(long)]
    pub task: Option<Task>,
    /// The backend, or of an exported folder the runtime.
    #[arg(long, value_name = "NAME")]
    pub on: Option<String>,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub struct InspectInput {
    /// A text.
    #[arg(long, value_name = "TEXT")]
    pub prompt: Option<String>,
    /// Token numbers, with commas between them.
    #[arg(long, value_name = "1,2,3", value_delimiter = ',')]
    pub ids: Option<Vec<u32>>,
    /// A safetensors file with the inputs by name.
    #[arg(long, value_name = "FILE")]
    pub inputs: Option<PathBuf>,
}
