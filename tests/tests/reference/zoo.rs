//! `docs/zoo.md`: what the reference check measured, a row a folder.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;

use fluxo_models::catalog::FAMILIES;

use super::cases::{self, Case};
use super::{BACKENDS, Outcome, RUNTIMES};

/// The largest difference of a folder on a runner.
static MEASURED: Mutex<BTreeMap<(String, &'static str), f64>> = Mutex::new(BTreeMap::new());

/// Notes what was measured.
pub fn note(case: &Case, runner: &'static str, difference: f64) {
    let key = (case.name.clone(), runner);
    MEASURED.lock().unwrap().insert(key, difference);
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/zoo.md")
}

/// Writes the table; every folder must have been run on every backend and runtime.
pub fn write() {
    let measured = MEASURED.lock().unwrap();
    let runners: Vec<_> = BACKENDS.into_iter().chain(RUNTIMES).collect();
    let mut text = String::from(HEAD);
    text += &format!("| folder | family | task | {} |\n", runners.join(" | "));
    text += &format!("|---|---|---|{}\n", "---:|".repeat(runners.len()));
    for case in cases::all() {
        let cells = runners.iter().map(|&runner| {
            let found = measured.get(&(case.name.clone(), runner));
            let found = found.unwrap_or_else(|| panic!("{} was not run on {runner}", case.name));
            format!("{found:.1e}")
        });
        let cells: Vec<_> = cells.collect();
        let (name, model) = (&case.name, case.model());
        let (family, task) = (model.family(), model.task());
        text += &format!("| {name} | {family} | {task} | {} |\n", cells.join(" | "));
    }
    std::fs::create_dir_all(path().parent().unwrap()).unwrap();
    std::fs::write(path(), text).unwrap();
}

/// Figures differ between machines, so only names are compared.
pub fn is_complete() -> Outcome {
    let text = std::fs::read_to_string(path()).map_err(|e| format!("docs/zoo.md: {e}"))?;
    let rows = text.lines().filter_map(|line| line.strip_prefix("| "));
    let listed: Vec<Vec<&str>> = rows.map(|row| row.split(" | ").collect()).collect();
    let families = FAMILIES.iter().map(|family| family.name.to_string());
    let folders = cases::all().map(|case| case.name.clone());
    let missing: Vec<String> = families
        .chain(folders)
        .filter(|name| !listed.iter().any(|row| row[0] == name || row[1] == name))
        .collect();
    match missing.is_empty() {
        true => Ok(()),
        false => Err(format!(
            "docs/zoo.md lacks {}; FLUXO_WRITE_DOCS=1 with this test writes it",
            missing.join(", ")
        )),
    }
}

const HEAD: &str = "# The zoo, measured

Every folder of the reference set (`tests/fixtures/hf`; `v4-` for `tests/fixtures/hf-v4`, the layout
that checkpoints of transformers 4 have) holds a small checkpoint with random weights and what
transformers returned for it in float32. The numbers are the largest difference of any output from
that, over the positions that the mask keeps, divided by the output's largest magnitude where that
is over 1. On the backends (flex, ndarray, wgpu) the hidden states of every layer count too; the
runtimes (tract, rten, ort) run the exported ONNX file and have the file's outputs.

Written by `FLUXO_WRITE_DOCS=1 cargo test -p fluxo-tests --features wgpu --test reference`; figures
differ a little between machines.

";
