//! BERT, 6×384 and 12×768, batch 1, 128 tokens.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use burn::tensor::{Device, Int, Tensor, TensorData};
use candle_transformers::models::bert;
use fluxo_benches::threads;
use fluxo_benches::timing::{interleaved, quartiles, ratio};
use fluxo_models::{Batch, Model, NewModelOptions, Taps, Task};

const TOKENS: usize = 128;
/// Layers, width, heads: all-MiniLM-L6 and bert-base.
const SIZES: [[usize; 3]; 2] = [[6, 384, 12], [12, 768, 12]];

fn main() -> Result<()> {
    threads::each(|threads| {
        for size in SIZES {
            bench(size, threads)?;
        }
        Ok(())
    })
}

fn bench([layers, width, heads]: [usize; 3], threads: usize) -> Result<()> {
    let device = fluxo_backends::device("flex")?;
    let ours = model([layers, width, heads], &device)?;
    let dir = tempfile::tempdir()?;
    ours.save(dir.path())?;
    let theirs = candle(dir.path())?;

    let ids: Vec<i64> = (0..TOKENS as i64).map(|i| (i * 7919 + 13) % 30522).collect();
    let input = Tensor::<2, Int>::from_data(TensorData::new(ids.clone(), [1, TOKENS]), &device);
    let run_ours = || -> Result<Vec<f32>> {
        let output = ours.network.forward(Batch::new(input.clone()), &mut Taps::off());
        let state = output.last_hidden_state.context("no hidden state")?;
        Ok(state.try_into_data()?.try_into_vec()?)
    };
    let cpu = candle_core::Device::Cpu;
    let their_ids = candle_core::Tensor::from_vec(ids, (1, TOKENS), &cpu)?;
    let types = their_ids.zeros_like()?;
    let run_theirs = || -> Result<Vec<f32>> {
        let state = theirs.forward(&their_ids, &types, None)?;
        Ok(state.flatten_all()?.to_vec1()?)
    };

    let difference = run_ours()?
        .iter()
        .zip(&run_theirs()?)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max);
    ensure!(difference < 1e-4, "the outputs differ by {difference:e}");
    let mut runners: [fluxo_benches::timing::Runner; 2] = [
        ("fluxo", Box::new(|| run_ours().map(drop))),
        ("candle", Box::new(|| run_theirs().map(drop))),
    ];
    let rounds = if width < 512 { 200 } else { 60 };
    let times = interleaved(&mut runners, rounds)?;
    println!("BERT {layers}×{width}, 1×{TOKENS} tokens, {threads} threads; outputs differ by {difference:.1e}");
    for ((name, _), times) in runners.iter().zip(&times) {
        let [low, median, high] = quartiles(times).map(|t| t.as_secs_f64() * 1e3);
        println!("  {name:7} {median:7.2} ms ({low:.2} to {high:.2})");
    }
    println!("  ratio   {:7.3}", ratio(&times[0], &times[1]));
    Ok(())
}

fn model([layers, width, heads]: [usize; 3], device: &Device) -> Result<Model> {
    let set = [
        ("vocab_size", 30522),
        ("hidden_size", width),
        ("num_hidden_layers", layers),
        ("num_attention_heads", heads),
        ("intermediate_size", 4 * width),
        ("max_position_embeddings", 512),
    ];
    let settings = NewModelOptions {
        set: set.map(|(key, value)| (key.into(), value.to_string())).into(),
        task: Some(Task::FeatureExtraction),
        ..NewModelOptions::default()
    };
    Ok(Model::new("bert", &settings, 1, device)?)
}

fn candle(dir: &Path) -> Result<bert::BertModel> {
    let mut config: serde_json::Value =
        serde_json::from_slice(&std::fs::read(dir.join("config.json"))?)?;
    // Candle asks for these, which do nothing here.
    for key in ["hidden_dropout_prob", "pad_token_id"] {
        config[key] = 0.into();
    }
    let config: bert::Config = serde_json::from_value(config)?;
    let weights = std::fs::read(dir.join("model.safetensors"))?;
    let cpu = candle_core::Device::Cpu;
    let weights =
        candle_nn::VarBuilder::from_buffered_safetensors(weights, candle_core::DType::F32, &cpu)?;
    Ok(bert::BertModel::load(weights, &config)?)
}
