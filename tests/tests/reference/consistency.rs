//! `docs/consistency.md`: every folder on hard and random inputs, on every backend and in every
//! runtime at once, judged by its own float64 run.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Mutex;

use fluxo_compare::report::{Assessment, Severity};
use fluxo_compare::{checks::stress, compare_refereed, inputs::samples, referee};
use fluxo_models::OutputOptions;

use super::cases::{self, Case};
use super::{BACKENDS, Outcome, RUNTIMES, here, runner, tried};

/// Random inputs of each folder, beside the hard ones.
const SEEDS: u64 = 20;

/// What was found of a folder on a runner.
static FOUND: Mutex<BTreeMap<(String, String), Assessment>> = Mutex::new(BTreeMap::new());

/// Every runner that is here, on every input: no more than rounding anywhere.
pub fn no_false_alarm(case: &'static Case) -> Outcome {
    let names = tried().filter(|name| here(name).is_ok());
    let runners: Result<Vec<_>, String> = names.map(|name| runner(case, name)).collect();
    let mut runners = runners?;
    let model = case.model();
    let mut hard = stress::cases(&case.config(), Some(model), SEEDS).map_err(|e| e.to_string())?;
    let graph = case.graph()?;
    for (_, inputs) in &mut hard {
        samples::drop_foreign(inputs, &graph).map_err(|e| e.to_string())?;
    }
    let (hard, left_out) = stress::possible(&mut runners[..1], hard);
    if !left_out.is_empty() {
        return Err(format!("{left_out:?}"));
    }
    let request = OutputOptions {
        hidden_states: true,
        taps: false,
    };
    let references =
        referee::reference_outputs(model, request, &hard).map_err(|e| e.to_string())?;
    let references = references.ok_or("there is no referee")?;
    let report = compare_refereed(&mut runners, &hard, &references).map_err(|e| e.to_string())?;
    let mut found = FOUND.lock().map_err(|e| e.to_string())?;
    for assessment in &report.assessments {
        let key = (case.name.clone(), assessment.runner.clone());
        found.insert(key, assessment.clone());
    }
    let all = report.assessments.len() == runners.len() && report.skipped.is_empty();
    let near = |s: &Assessment| matches!(s.finding, Severity::Same | Severity::Noise);
    if all && report.agrees() && report.assessments.iter().all(near) {
        Ok(())
    } else {
        Err(report.to_string())
    }
}

/// Writes what was found, a row a folder.
pub fn write() {
    let found = FOUND.lock().unwrap();
    let mut text = format!(
        "# Consistency, measured\n\nEvery folder of the reference set on hard inputs (one token, the longest text, padding on\neither side, a row that is masked whole, repeated and extreme tokens, the tokens with the largest\nembeddings, images and sounds with outliers and at both ends of 16 bits) and on random ones of\n{SEEDS} seeds. Each runner's outputs, on the backends with the hidden states of every layer, are judged\nby the same checkpoint in float64. A figure is the largest error of any output on any of these\ninputs in multiples of the rounding that was measured for it; up to 4 (16 on a GPU) is noise, \"same\" is\nwithin two units of the last place.\n\nWritten by `FLUXO_WRITE_DOCS=1 cargo test -p fluxo-tests --features wgpu --test reference`; figures\ndiffer a little between machines.\n\n| folder |"
    );
    let names = BACKENDS.into_iter().chain(RUNTIMES);
    let names: Vec<_> = names
        .filter(|name| found.keys().any(|(_, runner)| runner == name))
        .collect();
    for name in &names {
        let _ = write!(text, " {name} |");
    }
    text.push_str("\n|---|");
    text.push_str(&"---:|".repeat(names.len()));
    text.push('\n');
    for case in cases::all() {
        let _ = write!(text, "| {} |", case.name);
        for name in &names {
            let assessment = found.get(&(case.name.clone(), name.to_string()));
            let cell = match assessment {
                None => "-".to_string(),
                Some(s) if s.finding == Severity::Same => "same".to_string(),
                Some(s) if s.finding == Severity::Noise => format!("{:.1}", s.times),
                Some(s) => format!("**{} {:.0}**", s.finding.name(), s.times),
            };
            let _ = write!(text, " {cell} |");
        }
        text.push('\n');
    }
    std::fs::write(path(), text).unwrap();
}

/// Whether the table has a row for every folder.
pub fn is_complete() -> Outcome {
    let text = std::fs::read_to_string(path()).map_err(|e| e.to_string())?;
    let missing: Vec<_> = cases::all()
        .filter(|case| !text.contains(&format!("\n| {} |", case.name)))
        .map(|case| case.name.as_str())
        .collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(format!("{missing:?} are not in docs/consistency.md"))
    }
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/consistency.md")
}
