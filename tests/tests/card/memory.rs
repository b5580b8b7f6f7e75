//! Memory of the device: it does not grow.

use burn::tensor::Device;
use fluxo_models::generate::{Prompts, Sampling, generate_all};
use fluxo_models::{Model, NewModelOptions};
use fluxo_train::SyntheticTraining;

fn device() -> Result<Device, String> {
    fluxo_backends::device("wgpu").map_err(|error| error.to_string())
}

fn model(family: &str, device: &Device) -> Result<Model, String> {
    Model::new(family, &NewModelOptions::default(), 7, device).map_err(|e| e.to_string())
}

/// What the device holds, and what of it is in use, after each tenth of `run`.
fn held(
    device: &Device,
    mut run: impl FnMut() -> Result<(), String>,
) -> Result<Vec<(u64, u64)>, String> {
    let mut held = Vec::new();
    for _ in 0..10 {
        run()?;
        let usage = device.memory_pool_usage();
        let usage = usage.ok_or("the device does not say what it holds")?;
        held.push((usage.bytes_reserved, usage.bytes_in_use));
    }
    Ok(held)
}

/// Nothing more is in use after the first half, in which what is to be fused is found, and no more than
/// a hundredth more is reserved: pages of a few hundred bytes come and go.
fn flat(held: &[(u64, u64)]) -> Result<(), String> {
    let (reserved, used) = held[4];
    let grown = held[5..]
        .iter()
        .any(|(now, in_use)| *now > reserved + reserved / 100 || *in_use > used);
    if grown {
        return Err(format!("reserved and used, by tenths: {held:?}"));
    }
    Ok(())
}

/// Fifty updates.
pub fn stays_when_training() -> Result<(), String> {
    let device = device()?;
    let model = model("gpt2", &device)?;
    let mut training = SyntheticTraining::new(model, 2, 16).map_err(|e| e.to_string())?;
    let five = || {
        for _ in 0..5 {
            training.step().map_err(|e| e.to_string())?;
        }
        Ok(())
    };
    flat(&held(&device, five)?)
}

/// Texts of 24 tokens, ten of them.
pub fn stays_when_writing() -> Result<(), String> {
    let device = device()?;
    let model = model("llama", &device)?;
    let prompts = Prompts::Tokens(vec![vec![1, 5, 2, 7]]);
    let text = || {
        let texts = generate_all(&model, &prompts, 24, &Sampling::default(), |_, _| {});
        texts.map(drop).map_err(|e| e.to_string())
    };
    flat(&held(&device, text)?)
}
