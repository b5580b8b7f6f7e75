//! What `--locate` costs: GPT-2's 124M parameters with a fault in one layer, in runs of the same
//! model. What a run takes includes loading the checkpoint, as locating does again and again.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use burn::tensor::TensorData;
use fluxo_compare::{Case, compare_refereed, open, referee};
use fluxo_models::{Model, NewModelOptions, OutputOptions, Tensors};

const ROUNDS: usize = 5;
const VOCABULARY: i64 = 50257;

/// What the work may fail with.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    let set = [
        ("vocab_size", VOCABULARY.to_string()),
        ("n_positions", "1024".to_string()),
        ("n_embd", "768".to_string()),
        ("n_head", "12".to_string()),
        ("n_layer", "12".to_string()),
    ];
    let settings = NewModelOptions {
        set: set.map(|(name, value)| (name.to_string(), value)).to_vec(),
        ..NewModelOptions::default()
    };
    let folder = tempfile::tempdir()?;
    let paths = ["good", "bad"].map(|name| folder.path().join(name));
    let device = fluxo_backends::device("flex")?;
    let mut model = Model::new("gpt2", &settings, 1, &device)?;
    model.save(&paths[0])?;
    if let Some(decoder) = &mut model.network.decoder {
        decoder.layers[7].feed_forward = decoder.layers[8].feed_forward.clone();
    }
    model.save(&paths[1])?;
    drop(model);
    let ids = (0..32).map(|i| i * 379 % VOCABULARY).collect::<Vec<i64>>();
    let inputs = Tensors::from([("input_ids".to_string(), TensorData::new(ids, [2, 16]))]);

    let (mut runs, mut located) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS + 1 {
        let (run, locate) = (
            timed(|| one(&paths[0], &inputs))?,
            timed(|| pair(&paths, &inputs))?,
        );
        // The first round warms up.
        if round > 0 {
            runs.push(run);
            located.push(locate);
        }
    }
    let mut ratios: Vec<f64> = located
        .iter()
        .zip(&runs)
        .map(|(pair, one)| pair.as_secs_f64() / one.as_secs_f64())
        .collect();
    ratios.sort_by(f64::total_cmp);
    println!("one run        {:?}", median(&mut runs));
    println!("both, located  {:?}", median(&mut located));
    println!(
        "ratio          {:.1} runs ({:.1} to {:.1})",
        ratios[ROUNDS / 2],
        ratios[0],
        ratios[ROUNDS - 1]
    );
    Ok(())
}

fn timed(work: impl FnOnce() -> Result<()>) -> Result<Duration> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed())
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// What `fluxo run` does.
fn one(model: &Path, inputs: &Tensors) -> Result<()> {
    let on = ["flex".to_string()];
    let opened = open::open(&[model.to_path_buf()], &on, OutputOptions::default())?;
    for mut runner in opened.runners {
        runner.run(inputs)?;
    }
    Ok(())
}

/// What `fluxo compare --locate` does.
fn pair(models: &[PathBuf], inputs: &Tensors) -> Result<()> {
    let on = ["flex".to_string()];
    let mut opened = open::open_in_turn(models, &on, OutputOptions::default())?;
    let cases: [Case; 1] = [("here".into(), inputs.clone())];
    let references = match opened.model.take() {
        Some(model) => referee::reference_outputs(&model, opened.request, &cases)?,
        None => None,
    };
    let mut report =
        compare_refereed(&mut opened.runners, &cases, &references.unwrap_or_default())?;
    drop(opened);
    report.place(open::locate(models, &on, inputs)?.unwrap_or_default());
    let found = report.located.as_deref().unwrap_or("nothing");
    assert!(
        found.starts_with("decoder.layers.7.feed_forward"),
        "{found}"
    );
    Ok(())
}
