//! The reference set: every family against transformers' own outputs, on every backend and in
//! every runtime, at the reference's sizes and at others. Families × runners as one matrix.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::LazyLock;

use fluxo_compare::{ExportOptions, artifact, compare, samples};
use fluxo_models::generate::{Sampling, generate};
use fluxo_models::{Model, Request, Tensors, tensors};
use fluxo_tests::{fixture, trial};
use libtest_mimic::{Arguments, Trial};

const FAMILIES: [&str; 3] = ["bert", "gpt2", "llama"];
const BACKENDS: [&str; 3] = ["flex", "ndarray", "wgpu"];
const RUNTIMES: [&str; 3] = ["tract", "rten", "ort"];

/// The bounds: float32 noise of the reference models is 1e-6 on CPUs; graphics cards
/// add their own sines and exponentials.
fn bound(runner: &str) -> f64 {
    if runner == "wgpu" { 1e-4 } else { 2e-5 }
}

fn main() {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    for family in FAMILIES {
        for backend in BACKENDS {
            if !fluxo_backends::statuses()
                .iter()
                .any(|s| s.name == backend && s.compiled)
            {
                continue; // another build's: `--features wgpu`
            }
            let here = || {
                fluxo_backends::device(backend)
                    .map(drop)
                    .map_err(|e| e.to_string())
            };
            trials.push(trial(
                format!("{family} reference {backend}"),
                here(),
                move || against_reference(family, &fixture(&format!("hf/{family}")), backend),
            ));
            if backend != "flex" {
                trials.push(trial(
                    format!("{family} sizes {backend}"),
                    here(),
                    move || other_sizes(family, backend),
                ));
            }
            if family != "bert" {
                trials.push(trial(
                    format!("{family} greedy {backend}"),
                    here(),
                    move || greedy(family, backend),
                ));
            }
        }
        for runtime in RUNTIMES {
            let here = runtime_here(runtime);
            trials.push(trial(
                format!("{family} reference {runtime}"),
                here.clone(),
                move || against_reference(family, &exported(family), runtime),
            ));
            trials.push(trial(
                format!("{family} sizes {runtime}"),
                here.clone(),
                move || other_sizes(family, runtime),
            ));
            if family != "bert" {
                trials.push(trial(
                    format!("{family} greedy {runtime}"),
                    here,
                    move || greedy_in_runtime(family, runtime),
                ));
            }
        }
        trials.push(checker(family));
    }
    libtest_mimic::run(&arguments, trials).exit();
}

fn runtime_here(runtime: &str) -> Result<(), String> {
    let found = artifact::runtimes()
        .into_iter()
        .find(|r| r.name == runtime)
        .unwrap();
    if found.usable {
        Ok(())
    } else {
        Err(found.about)
    }
}

fn reference(family: &str) -> Tensors {
    let mut tensors =
        tensors::read(&fixture(&format!("hf/{family}/reference.safetensors"))).unwrap();
    tensors.remove("out.greedy"); // tokens, compared as such
    tensors
}

/// The exported folder of a family, made once.
fn exported(family: &str) -> std::path::PathBuf {
    static FOLDER: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
        let folder = tempfile::tempdir().unwrap();
        for family in FAMILIES {
            let device = fluxo_backends::device("flex").unwrap();
            let (model, _) = Model::load(&fixture(&format!("hf/{family}")), None, &device).unwrap();
            fluxo_compare::export(
                &model,
                &folder.path().join(family),
                &ExportOptions::default(),
            )
            .unwrap();
        }
        folder
    });
    FOLDER.path().join(family)
}

/// Every `out.*` of the reference that the runner gives, and all of them from a backend.
fn against_reference(family: &str, model: &Path, name: &str) -> Result<(), String> {
    let mut inputs = reference(family);
    let request = Request {
        hidden_states: true,
        taps: false,
    };
    let mut opened =
        artifact::open(&[model.into()], &[name.into()], request).map_err(|e| e.to_string())?;
    if RUNTIMES.contains(&name) {
        inputs.retain(|name, _| !name.starts_with("out.hidden_states"));
    }
    let wanted = inputs
        .keys()
        .filter(|name| name.starts_with("out."))
        .count();
    let report =
        compare(&mut opened.runners, &inputs, Some(bound(name))).map_err(|e| e.to_string())?;
    if report.pairs.len() != wanted {
        return Err(format!(
            "{} of {wanted} outputs were compared",
            report.pairs.len()
        ));
    }
    if report.agrees() {
        Ok(())
    } else {
        Err(report.to_string())
    }
}

/// Batch 1 and 3, sequence 1, 2 and 17, against flex.
fn other_sizes(family: &str, other: &str) -> Result<(), String> {
    let mut models = vec![fixture(&format!("hf/{family}"))];
    if RUNTIMES.contains(&other) {
        models.push(exported(family));
    }
    let names = ["flex".to_string(), other.to_string()];
    let mut opened =
        artifact::open(&models, &names, Request::default()).map_err(|e| e.to_string())?;
    let device = fluxo_backends::device("flex").unwrap();
    let (model, _) = Model::load(&models[0], None, &device).unwrap();
    for batch in [1, 3] {
        for seq in [1, 2, 17] {
            let inputs = samples::inputs(model.config(), batch, seq);
            let report = compare(&mut opened.runners, &inputs, Some(bound(other)))
                .map_err(|e| format!("batch {batch}, sequence {seq}: {e}"))?;
            if !report.agrees() || report.runners.len() != 2 {
                return Err(format!("batch {batch}, sequence {seq}:\n{report}"));
            }
        }
    }
    Ok(())
}

/// The ten tokens that transformers chose after row 0.
fn greedy_tokens(family: &str) -> (Vec<u32>, Vec<u32>) {
    let file = fixture(&format!("hf/{family}/reference.safetensors"));
    let all = tensors::read(&file).unwrap()["out.greedy"].clone();
    let all: Vec<u32> = all
        .as_slice::<i64>()
        .unwrap()
        .iter()
        .map(|&t| t as u32)
        .collect();
    let prompt = all.len() - 10;
    (all[..prompt].to_vec(), all[prompt..].to_vec())
}

fn greedy(family: &str, backend: &str) -> Result<(), String> {
    let device = fluxo_backends::device(backend).map_err(|e| e.to_string())?;
    let (model, _) = Model::load(&fixture(&format!("hf/{family}")), None, &device).unwrap();
    let (prompt, wanted) = greedy_tokens(family);
    let got = generate(&model, &prompt, wanted.len(), &Sampling::default(), |_| {})
        .map_err(|e| e.to_string())?;
    if got == wanted {
        Ok(())
    } else {
        Err(format!("{got:?} is not {wanted:?}"))
    }
}

/// The same tokens from the exported file alone, its cache fed back a token at a time.
fn greedy_in_runtime(family: &str, runtime: &str) -> Result<(), String> {
    let mut opened = artifact::open(&[exported(family)], &[runtime.into()], Request::default())
        .map_err(|e| e.to_string())?;
    let runner = &mut opened.runners[0];
    let (prompt, wanted) = greedy_tokens(family);
    let row = |ids: &[u32]| {
        let ids: Vec<i64> = ids.iter().map(|&id| i64::from(id)).collect();
        let shape = [1, ids.len()];
        burn::tensor::TensorData::new(ids, shape)
    };
    let mut inputs = Tensors::from([("input_ids".to_string(), row(&prompt))]);
    let mut got = Vec::new();
    while got.len() < wanted.len() {
        let outputs = runner.run(&inputs).map_err(|e| e.to_string())?;
        let logits = outputs["logits"].as_slice::<f32>().unwrap();
        let vocab = *outputs["logits"].shape().to_vec().last().unwrap();
        let last = &logits[logits.len() - vocab..];
        let best = (0..vocab)
            .max_by(|&a, &b| last[a].total_cmp(&last[b]))
            .unwrap() as u32;
        got.push(best);
        inputs = Tensors::from([("input_ids".to_string(), row(&[best]))]);
        for (name, cache) in outputs {
            if let Some(name) = name.strip_prefix("present.") {
                inputs.insert(format!("past_key_values.{name}"), cache);
            }
        }
    }
    if got == wanted {
        Ok(())
    } else {
        Err(format!("{got:?} is not {wanted:?}"))
    }
}

/// The ONNX project's own checker, with full shape inference.
fn checker(family: &'static str) -> Trial {
    trial(
        format!("{family} onnx checker"),
        fluxo_tests::python_has("onnx"),
        move || {
            let file = exported(family).join(artifact::GRAPH);
            let script = "import onnx, sys; onnx.checker.check_model(onnx.load(sys.argv[1]), full_check=True)";
            let output = std::process::Command::new(fluxo_tests::python())
                .args(["-c", script])
                .arg(file)
                .output()
                .map_err(|e| e.to_string())?;
            match output.status.success() {
                true => Ok(()),
                false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
            }
        },
    )
}
