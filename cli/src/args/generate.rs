//! The arguments of `fluxo generate`.

use std::path::PathBuf;

use burn::tensor::DType;
use fluxo_models::Task;

use super::values::{Ids, dtype, setting};

#[derive(Debug, clap::Args)]
pub struct Generate {
    /// A checkpoint folder, or an exported folder.
    pub model: PathBuf,
    #[command(flatten)]
    pub prompt: Prompt,
    #[command(flatten)]
    pub habits: Box<Habits>,
    /// Where the draws start.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Go on after the token that ends a text.
    #[arg(long)]
    pub ignore_end: bool,
    /// Keep no keys and values: each token reads the whole text again.
    #[arg(long)]
    pub no_cache: bool,
    /// Load it for this task instead of its own, or of the family's that writes.
    #[arg(long)]
    pub task: Option<Task>,
    /// The backend, or of an exported folder the runtime.
    #[arg(long, value_name = "NAME")]
    pub on: Option<String>,
    /// The element type of weights and arithmetic: f32, f16 or bf16.
    #[arg(long, value_name = "TYPE", default_value = "f32", value_parser = dtype)]
    pub dtype: DType,
}

/// How texts are written: what the checkpoint's generation_config.json says, where nothing is
/// said here.
#[derive(Debug, Default, clap::Args)]
pub struct Habits {
    /// How many tokens to write at most [default: what generation_config.json says, or 64].
    #[arg(long, value_name = "N")]
    pub max_new_tokens: Option<usize>,
    /// How many tokens a text has at most, with the prompt that it continues.
    #[arg(long, value_name = "N", conflicts_with = "max_new_tokens")]
    pub max_length: Option<usize>,
    /// How many tokens to write at least.
    #[arg(long, value_name = "N")]
    pub min_new_tokens: Option<usize>,
    /// How many tokens a text has at least, with the prompt that it continues.
    #[arg(long, value_name = "N", conflicts_with = "min_new_tokens")]
    pub min_length: Option<usize>,
    /// Take the likeliest token each time, where the checkpoint asks for draws.
    #[arg(long)]
    pub greedy: bool,
    /// Draw tokens, where the checkpoint does not ask for it.
    #[arg(long, conflicts_with_all = ["greedy", "beams"])]
    pub sample: bool,
    /// Draw tokens, their logits divided by T; 0 takes the likeliest.
    #[arg(long, value_name = "T", conflicts_with = "greedy")]
    pub temperature: Option<f64>,
    /// Draw among the K likeliest tokens.
    #[arg(long, value_name = "K", conflicts_with = "greedy")]
    pub top_k: Option<usize>,
    /// Draw among the likeliest tokens that together reach probability P.
    #[arg(long, value_name = "P", conflicts_with = "greedy")]
    pub top_p: Option<f64>,
    /// Draw among tokens at least P times as likely as the likeliest.
    #[arg(long, value_name = "P", conflicts_with = "greedy")]
    pub min_p: Option<f64>,
    /// Draw among tokens whose information is near the entropy and that together reach
    /// probability P.
    #[arg(long, value_name = "P", conflicts_with = "greedy")]
    pub typical_p: Option<f64>,
    /// Make tokens that the text has already less likely: 1 does nothing, 1.3 much.
    #[arg(long, value_name = "X")]
    pub repetition_penalty: Option<f64>,
    /// Write no run of N tokens twice.
    #[arg(long, value_name = "N")]
    pub no_repeat_ngram_size: Option<usize>,
    /// Tokens that are never written, with commas between them.
    #[arg(long, value_name = "1,2,3")]
    pub suppress_tokens: Option<Ids>,
    /// Follow the N likeliest texts at once, and write the best.
    #[arg(long, value_name = "N")]
    pub beams: Option<usize>,
    /// With --beams: over 0 favours long texts, below 0 short ones.
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub length_penalty: Option<f64>,
    /// With --beams: stop when as many texts are finished as there are beams (true), when no
    /// other is likely to be better (false) or can be (never).
    #[arg(long, value_name = "WHEN")]
    pub early_stopping: Option<String>,
    /// How many texts to write for each prompt, of draws or beams.
    #[arg(long, value_name = "N")]
    pub num_return_sequences: Option<usize>,
    /// End a text with this string; several end it with any.
    #[arg(long, value_name = "TEXT")]
    pub stop: Vec<String>,
    /// Sets any key of generation_config.json for this call, e.g. forced_bos_token_id=7 or
    /// no_repeat_ngram_size=2 (JSON, so lists too); null takes one away.
    #[arg(long, value_name = "KEY=VALUE", value_parser = setting)]
    pub set: Vec<(String, String)>,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub struct Prompt {
    /// The text to go on from, or to rewrite where the model is an encoder-decoder; several
    /// make a batch.
    #[arg(long, value_name = "TEXT")]
    pub prompt: Vec<String>,
    /// The same as token numbers, with commas between them; several make a batch.
    #[arg(long, value_name = "1,2,3")]
    pub ids: Vec<Ids>,
    /// A message to answer, as the model's chat template puts it.
    #[arg(long, value_name = "TEXT")]
    pub chat: Option<String>,
    /// A WAV of 16 kHz to write down.
    #[arg(long, value_name = "FILE")]
    pub sound: Option<PathBuf>,
}
