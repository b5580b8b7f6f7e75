//! Greedy decoding with the cache: SmolLM-135M's sizes, 64 tokens after a prompt of 32.

use std::cell::RefCell;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use burn::tensor::{Device, Int, Tensor, TensorData};
use candle_transformers::models::llama;
use fluxo_benches::threads;
use fluxo_benches::timing::{Runner, interleaved, quartiles, ratio};
use fluxo_models::{Batch, Model, NewModelOptions, Taps};

const PROMPT: usize = 32;
const TOKENS: usize = 64;
const ROUNDS: usize = 9;

fn main() -> Result<()> {
    threads::each(bench)
}

fn bench(threads: usize) -> Result<()> {
    let device = fluxo_backends::device("flex")?;
    let ours = model(&device)?;
    let dir = tempfile::tempdir()?;
    ours.save(dir.path())?;
    let theirs = candle(dir.path())?;
    let prompt: Vec<i64> = (0..PROMPT as i64).map(|i| (i * 7919 + 13) % 49152).collect();

    let (wrote, logits) = decode_ours(&ours, &prompt, &device)?;
    let (they_wrote, their_logits) = decode_theirs(&theirs, &prompt)?;
    ensure!(wrote == they_wrote, "the texts differ: {wrote:?} and {they_wrote:?}");
    let pairs = logits.iter().zip(&their_logits);
    let difference = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    ensure!(difference < 1e-4, "the last logits differ by {difference:e}");

    let none = RefCell::new(Vec::new());
    let mut runners: [Runner; 2] = [
        ("fluxo", Box::new(|| Ok(*none.borrow_mut() = decode_ours(&ours, &prompt, &device)?.0))),
        ("candle", Box::new(|| Ok(*none.borrow_mut() = decode_theirs(&theirs, &prompt)?.0))),
    ];
    let times = interleaved(&mut runners, ROUNDS)?;
    println!(
        "Llama 135M, {TOKENS} tokens after {PROMPT}, {threads} threads; the same tokens, last logits differ by {difference:.1e}"
    );
    for ((name, _), times) in runners.iter().zip(&times) {
        let [low, median, high] = quartiles(times).map(|time| TOKENS as f64 / time.as_secs_f64());
        println!("  {name:7} {median:6.1} tokens/s ({high:.1} to {low:.1})");
    }
    println!("  ratio   {:6.3} (tokens per second, above 1 is faster)", ratio(&times[1], &times[0]));
    Ok(())
}

/// The tokens written and the logits of the last pass.
fn decode_ours(model: &Model, prompt: &[i64], device: &Device) -> Result<(Vec<u32>, Vec<f32>)> {
    let mut next = prompt.to_vec();
    let (mut cache, mut wrote, mut logits) = (None, Vec::new(), Vec::new());
    while wrote.len() < TOKENS {
        let ids = TensorData::new(next.clone(), [1, next.len()]);
        let batch = Batch {
            cache,
            // As `fluxo generate` asks, and as candle's model always does.
            last_only: true,
            ..Batch::new(Tensor::<2, Int>::from_data(ids, device))
        };
        let output = model.network.forward(batch, &mut Taps::off());
        let room = TOKENS - wrote.len();
        cache = output.cache.map(|cache| cache.with_room(room));
        let all = output.logits.context("no logits")?;
        logits = all.try_into_data()?.try_into_vec::<f32>()?;
        let token = likeliest(&logits);
        wrote.push(token);
        next = vec![i64::from(token)];
    }
    Ok((wrote, logits))
}

/// The tokens written and the logits of the last pass.
fn decode_theirs(theirs: &Theirs, prompt: &[i64]) -> Result<(Vec<u32>, Vec<f32>)> {
    let cpu = candle_core::Device::Cpu;
    let mut cache = llama::Cache::new(true, candle_core::DType::F32, &theirs.config, &cpu)?;
    let mut next: Vec<u32> = prompt.iter().map(|&token| token as u32).collect();
    let (mut past, mut wrote, mut logits) = (0, Vec::new(), Vec::new());
    while wrote.len() < TOKENS {
        let ids = candle_core::Tensor::new(&next[..], &cpu)?.unsqueeze(0)?;
        let output = theirs.model.forward(&ids, past, &mut cache)?; // [1, vocab]
        past += next.len();
        logits = output.flatten_all()?.to_vec1::<f32>()?;
        let token = likeliest(&logits);
        wrote.push(token);
        next = vec![token];
    }
    Ok((wrote, logits))
}

fn likeliest(logits: &[f32]) -> u32 {
    let mut best = 0;
    for (token, logit) in logits.iter().enumerate() {
        if *logit > logits[best] {
            best = token;
        }
    }
    best as u32
}

fn model(device: &Device) -> Result<Model> {
    let set = [
        ("vocab_size", "49152"),
        ("hidden_size", "576"),
        ("intermediate_size", "1536"),
        ("num_hidden_layers", "30"),
        ("num_attention_heads", "9"),
        ("num_key_value_heads", "3"),
        ("max_position_embeddings", "2048"),
        ("tie_word_embeddings", "true"),
        // Of fresh weights: larger than the usual 0.02, so that the tokens are far apart.
        ("initializer_range", "0.05"),
    ];
    let settings = NewModelOptions {
        set: set.map(|(key, value)| (key.into(), value.into())).into(),
        ..NewModelOptions::default()
    };
    Ok(Model::new("llama", &settings, 1, device)?)
}

struct Theirs {
    model: llama::Llama,
    config: llama::Config,
}

fn candle(dir: &Path) -> Result<Theirs> {
    let config = std::fs::read(dir.join("config.json"))?;
    let config: llama::LlamaConfig = serde_json::from_slice(&config)?;
    let config = config.into_config(false);
    let weights = std::fs::read(dir.join("model.safetensors"))?;
    let cpu = candle_core::Device::Cpu;
    let weights =
        candle_nn::VarBuilder::from_buffered_safetensors(weights, candle_core::DType::F32, &cpu)?;
    let model = llama::Llama::load(weights, &config)?;
    Ok(Theirs { model, config })
}
