//! The reference set: every folder of `tests/fixtures/hf` and `hf-v4` against transformers' own
//! outputs, on every backend and in every runtime, at the reference's sizes and at others.
//! Folders × runners as one matrix; `FLUXO_WRITE_DOCS=1` writes it down as `docs/zoo.md`
//! and `docs/forms.md`.
#![allow(clippy::unwrap_used)]

mod cases;
mod consistency;
mod forms;
mod greedy;
mod zoo;

use burn::module::Module;
use fluxo_compare::runner::{Runner, backend::Burn};
use fluxo_compare::{compare, inputs::samples, open};
use fluxo_models::OutputOptions;
use fluxo_tests::trial;
use libtest_mimic::Arguments;

use cases::Case;

const BACKENDS: [&str; 3] = ["flex", "ndarray", "wgpu"];
const RUNTIMES: [&str; 3] = ["tract", "rten", "ort"];

/// Float32 noise of the reference models is 1e-6 on CPUs; graphics cards add their own sines and
/// exponentials.
fn bound(runner: &str) -> f64 {
    if runner == "wgpu" { 1e-4 } else { 2e-5 }
}

fn main() {
    let arguments = Arguments::from_args();
    let runners: Vec<_> = tried().map(|name| (name, here(name))).collect();
    let onnx = fluxo_tests::python_has("onnx");
    let mut trials = Vec::new();
    for case in cases::all() {
        let forms = if all() { forms::all() } else { Vec::new() };
        for form in forms {
            let name = format!("{} {}", case.name, form.name);
            let needs = forms::needs(&form);
            trials.push(trial(name, needs, move || forms::agrees(case, &form)));
        }
        for (runner, here) in &runners {
            let mut add = |what: &str, check: Check| {
                let (name, runner) = (format!("{} {what} {runner}", case.name), *runner);
                trials.push(trial(name, here.clone(), move || check(case, runner)));
            };
            add("reference", against_reference);
            if *runner != "flex" {
                add("sizes", other_sizes);
            }
            // On the CPU backends this is generation's own test.
            if !["flex", "ndarray"].contains(runner) && case.writes() {
                add("greedy", greedy::tokens);
            }
        }
        let name = format!("{} consistency", case.name);
        trials.push(trial(name, Ok(()), || consistency::no_false_alarm(case)));
        if all() {
            let name = format!("{} onnx checker", case.name);
            trials.push(trial(name, onnx.clone(), || checker(case)));
        }
    }
    let name = "the pages list every family";
    trials.push(trial(name, Ok(()), zoo::are_complete));
    let name = "docs/consistency.md lists every folder";
    trials.push(trial(name, Ok(()), consistency::is_complete));
    let conclusion = libtest_mimic::run(&arguments, trials);
    if writes_docs() {
        consistency::write();
        zoo::write();
    }
    conclusion.exit();
}

/// Whether this build tries everything. One with wgpu tries that, with flex beside it: the build
/// without it has tried the rest, but the pages have a column of each.
fn all() -> bool {
    !cfg!(feature = "wgpu") || writes_docs()
}

/// The backends and runtimes that this build tries.
fn tried() -> impl Iterator<Item = &'static str> {
    let backends = BACKENDS.into_iter().filter(|name| compiled(name));
    let both = backends.chain(RUNTIMES);
    both.filter(|name| all() || ["flex", "wgpu"].contains(name))
}

fn writes_docs() -> bool {
    std::env::var_os("FLUXO_WRITE_DOCS").is_some()
}

/// What a check says.
type Outcome = Result<(), String>;
/// A check of a folder on a runner.
type Check = fn(&'static Case, &'static str) -> Outcome;

/// Whether the backend is in this build; `--features wgpu` makes another.
fn compiled(backend: &str) -> bool {
    let statuses = fluxo_backends::statuses();
    statuses.iter().any(|s| s.name == backend && s.compiled)
}

/// Whether the backend or runtime works on this machine.
fn here(name: &str) -> Outcome {
    match open::runtimes().into_iter().find(|r| r.name == name) {
        Some(runtime) if runtime.usable => Ok(()),
        Some(runtime) => Err(runtime.about),
        None => match fluxo_backends::device(name) {
            Ok(_) => Ok(()),
            Err(error) => Err(error.to_string()),
        },
    }
}

/// The case on a backend with its hidden states, or its file in a runtime.
fn runner(case: &Case, name: &str) -> Result<Box<dyn Runner>, String> {
    let request = OutputOptions {
        hidden_states: true,
        taps: false,
    };
    let runner: fluxo_compare::Result<Box<dyn Runner>> = match name {
        _ if RUNTIMES.contains(&name) => case.graph()?.load(name, name),
        _ => Burn::new(name, case.model(), name, request).map(|runner| Box::new(runner) as _),
    };
    runner.map_err(|e| e.to_string())
}

/// Every `out.*` of the reference, hidden states on backends only.
fn against_reference(case: &'static Case, name: &'static str) -> Outcome {
    let mut inputs = case.reference();
    if RUNTIMES.contains(&name) {
        inputs.retain(|name, _| !name.contains("hidden_states."));
    }
    let wanted = inputs.keys().filter(|name| name.starts_with("out."));
    let wanted = wanted.count();
    let report = runner(case, name).and_then(|runner| {
        compare(&mut [runner], &inputs, Some(bound(name))).map_err(|e| e.to_string())
    });
    let report = report?;
    if let Some(worst) = report.worst() {
        zoo::note(case, name, worst.scaled);
    }
    if report.pairs.len() != wanted {
        let compared = report.pairs.len();
        return Err(format!(
            "{compared} of {wanted} outputs were compared\n{report}"
        ));
    }
    if report.agrees() {
        Ok(())
    } else {
        Err(report.to_string())
    }
}

/// Batch 1 and 3, sequence 1, 2 and 17, against flex.
fn other_sizes(case: &'static Case, other: &'static str) -> Outcome {
    let mut runners = vec![runner(case, "flex")?, runner(case, other)?];
    let config = case.config();
    let longest = samples::longest(&config);
    let mut sequences = [1, 2, 17].map(|seq| seq.min(longest)).to_vec();
    sequences.dedup();
    for batch in [1, 3] {
        for &seq in &sequences {
            let inputs = samples::inputs(&config, batch, seq);
            let report = compare(&mut runners, &inputs, Some(bound(other)))
                .map_err(|e| format!("batch {batch}, sequence {seq}: {e}"))?;
            if !report.agrees() || report.runners.len() != 2 {
                return Err(format!("batch {batch}, sequence {seq}:\n{report}"));
            }
        }
    }
    Ok(())
}

/// The ONNX project's own checker, with full shape inference; and each weight is stored once.
fn checker(case: &'static Case) -> Outcome {
    let output = std::process::Command::new(fluxo_tests::python())
        .args(["-c", CHECK])
        .args(case.graph()?.files())
        .output()
        .map_err(|e| e.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let stored = String::from_utf8_lossy(&output.stdout);
    let stored: usize = stored
        .trim()
        .parse()
        .map_err(|e| format!("{stored}: {e}"))?;
    let weights = case.model().network.num_params();
    if stored <= weights {
        Ok(())
    } else {
        Err(format!(
            "{stored} weights are stored, the model has {weights}"
        ))
    }
}

/// Checks the files and prints how many weights they hold.
const CHECK: &str = include_str!("clean.py");
