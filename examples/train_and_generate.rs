//! Train a byte-level model on a text for a few steps, then let it write.
//!
//! cargo run --release -p fluxo-examples --example train_and_generate

use fluxo_models::Model;
use fluxo_models::generate::{Sampling, generate};
use fluxo_train::{RunOptions, TrainConfig, train};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::temp_dir().join(format!("fluxo-train-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let data = folder.join("text.txt");
    std::fs::write(
        &data,
        "the stream carries what every layer writes, and ".repeat(200),
    )?;

    let device = fluxo_backends::device("flex")?;
    let mut config = TrainConfig::new("llama", vec![data], &folder.join("run"));
    config.steps = 30;
    config.sequence_length = 64;
    let options = RunOptions {
        quiet: true,
        ..RunOptions::default()
    };
    let summary = train(&config, &device, &options)?;
    println!("loss {:.2} -> {:.2}", summary.first_loss, summary.last_loss);

    let (model, _) = Model::load(&summary.out, None, &device)?;
    let text = model.text().ok_or("the model reads no text")?;
    let ids = generate(
        &model,
        &text.encode("the stream ")?,
        24,
        &Sampling::default(),
        |_| {},
    )?;
    println!("the stream {}", text.decode(&ids)?);
    std::fs::remove_dir_all(folder)?;
    Ok(())
}
