//! Kernels that a pass, a written token and an update start, with fusion and without: `docs/card.md`.

use std::fmt::Write;
use std::path::Path;

use burn::tensor::Device;
use fluxo_backends::{Launches, launches};
use fluxo_compare::inputs::samples;
use fluxo_models::generate::{Prompts, Sampling, generate_all};
use fluxo_models::{Model, NewModelOptions, OutputOptions};
use fluxo_train::SyntheticTraining;

/// The line before the counts.
const ANNOUNCED: &str =
    "Written by `FLUXO_WRITE_DOCS=1 cargo test -p fluxo-tests --features wgpu --test card`:";

/// One thing that is counted.
struct Counted {
    what: &'static str,
    fused: Launches,
    unfused: Launches,
    /// How many times fewer kernels fusion has to start at least.
    least: f64,
}

fn device(name: &str) -> Result<Device, String> {
    fluxo_backends::device(name).map_err(|error| error.to_string())
}

/// A tiny model of two layers.
fn model(family: &str, layers: &str, device: &Device) -> Result<Model, String> {
    let options = NewModelOptions {
        set: vec![(layers.to_string(), "2".to_string())],
        ..NewModelOptions::default()
    };
    Model::new(family, &options, 7, device).map_err(|e| e.to_string())
}

/// Runs `run` until it starts as many kernels as the time before: the first runs find out what to
/// fuse.
fn settled(
    device: &Device,
    mut run: impl FnMut() -> Result<(), String>,
) -> Result<Launches, String> {
    let mut before = Launches::new();
    for _ in 0..8 {
        let (ran, counted) = launches(device, &mut run);
        ran?;
        if counted == before {
            return Ok(counted);
        }
        before = counted;
    }
    Err("every run starts other kernels than the one before".to_string())
}

fn pass(device: &Device) -> Result<Launches, String> {
    let model = model("bert", "num_hidden_layers", device)?;
    let inputs = samples::inputs(model.config(), 1, 16);
    settled(device, || {
        let ran = model.run(&inputs, &OutputOptions::default());
        ran.map(drop).map_err(|e| e.to_string())
    })
}

/// Those of a text of nine tokens that one of eight has not.
fn token(device: &Device) -> Result<Launches, String> {
    let model = model("llama", "num_hidden_layers", device)?;
    let prompts = Prompts::Tokens(vec![vec![1, 5, 2, 7]]);
    let written = |count: usize| {
        settled(device, || {
            let texts = generate_all(&model, &prompts, count, &Sampling::default(), |_, _| {});
            texts.map(drop).map_err(|e| e.to_string())
        })
    };
    let (shorter, mut longer) = (written(8)?, written(9)?);
    for (kernel, count) in &mut longer {
        *count -= shorter.get(kernel).copied().unwrap_or_default();
    }
    longer.retain(|_, count| *count > 0);
    Ok(longer)
}

fn update(device: &Device) -> Result<Launches, String> {
    let model = model("gpt2", "n_layer", device)?;
    let mut training = SyntheticTraining::new(model, 2, 16).map_err(|e| e.to_string())?;
    settled(device, || {
        training.step().map(drop).map_err(|e| e.to_string())
    })
}

/// Fused they are fewer, by as much as the page says.
pub fn are_few() -> Result<(), String> {
    let (fused, unfused) = (device("wgpu")?, device("wgpu:unfused")?);
    type Count = fn(&Device) -> Result<Launches, String>;
    let all: [(&'static str, Count, f64); 3] = [
        ("a pass of BERT, 2 layers", pass, 1.1),
        ("a token that Llama writes, 2 layers", token, 1.5),
        ("an update of GPT-2, 2 layers", update, 1.8),
    ];
    let mut counted = Vec::new();
    for (what, count, least) in all {
        counted.push(Counted {
            what,
            fused: count(&fused)?,
            unfused: count(&unfused)?,
            least,
        });
    }
    let page = page(&counted);
    if std::env::var_os("FLUXO_WRITE_DOCS").is_some() {
        write(&page)?;
    }
    for one in &counted {
        let (fused, unfused) = (total(&one.fused), total(&one.unfused));
        if (unfused as f64) < one.least * fused as f64 {
            return Err(format!("{}: {unfused} and fused {fused}\n{page}", one.what));
        }
    }
    Ok(())
}

/// Puts `counts` behind the line of `docs/card.md` that announces them.
fn write(counts: &str) -> Result<(), String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/card.md");
    let page = std::fs::read_to_string(&path).map_err(|e| e.to_string())?;
    let end = page
        .find(ANNOUNCED)
        .ok_or("docs/card.md announces no counts")?
        + ANNOUNCED.len();
    let page = format!("{}\n\n{counts}", &page[..end]);
    std::fs::write(&path, page).map_err(|e| e.to_string())
}

fn total(launches: &Launches) -> usize {
    launches.values().sum()
}

fn page(counted: &[Counted]) -> String {
    let mut page = String::new();
    let mut line = |text: String| {
        // A string takes everything.
        let _ = writeln!(page, "{text}");
    };
    line("| | `wgpu:unfused` | `wgpu` | times |".to_string());
    line("|---|---:|---:|---:|".to_string());
    for one in counted {
        let (fused, unfused) = (total(&one.fused), total(&one.unfused));
        let times = unfused as f64 / fused.max(1) as f64;
        line(format!(
            "| {} | {unfused} | {fused} | {times:.1} |",
            one.what
        ));
    }
    for one in counted {
        line(format!("\n{}:\n", one.what));
        line("| kernel | `wgpu:unfused` | `wgpu` |".to_string());
        line("|---|---:|---:|".to_string());
        let mut kernels: Vec<_> = one.unfused.keys().chain(one.fused.keys()).collect();
        kernels.sort_unstable();
        kernels.dedup();
        for kernel in kernels {
            let of = |launches: &Launches| launches.get(kernel).copied().unwrap_or_default();
            let (unfused, fused) = (of(&one.unfused), of(&one.fused));
            line(format!("| `{}` | {unfused} | {fused} |", short(kernel)));
        }
    }
    page
}

/// A kernel's name without the modules that it lies in.
fn short(kernel: &str) -> String {
    let mut short = String::new();
    let mut word = String::new();
    for letter in kernel.chars() {
        match letter {
            ':' => word.clear(),
            'a'..='z' | 'A'..='Z' | '0'..='9' | '_' => word.push(letter),
            _ => {
                short.push_str(&std::mem::take(&mut word));
                short.push(letter);
            }
        }
    }
    short + &word
}
