//! Measures training: `cargo run --release -p fluxo-train --example measure -- DATA key=value…`
//! with the keys of a training configuration, in a run folder that is thrown away.

use std::path::Path;

use fluxo_train::{RunOptions, TrainConfig, stop_on_ctrl_c, train};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let data = arguments
        .next()
        .ok_or("name a text file or a folder of them")?;
    let folder = tempfile::tempdir()?;
    let out = folder.path().join("run");
    let mut config = TrainConfig::new("gpt2", vec![data.into()], Path::new(&out));
    let mut on = "flex".to_string();
    for pair in arguments {
        let (key, value) = pair
            .split_once('=')
            .ok_or(format!("{pair}: not key=value"))?;
        match key {
            "on" => on = value.into(),
            _ => config.set(key, value)?,
        }
    }
    let device = fluxo_backends::device(&on)?;
    let options = RunOptions {
        stop: stop_on_ctrl_c()?,
        ..RunOptions::default()
    };
    let summary = train(&config, &device, &options)?;
    let rate = summary.tokens as f64 / summary.seconds;
    println!(
        "{} parameters, {} steps in {:.1} s: {:.2} steps/s, {rate:.0} tokens/s; loss {:.3} to {:.3}",
        summary.parameters,
        summary.steps,
        summary.seconds,
        summary.steps as f64 / summary.seconds,
        summary.first_loss,
        summary.last_loss,
    );
    for (step, loss) in &summary.eval_losses {
        println!("{step}\t{loss:.4}");
    }
    Ok(())
}
