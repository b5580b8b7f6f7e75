//! `docs/zoo.md` and `docs/forms.md`: what the reference check measured, a row a folder.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;

use fluxo_models::catalog::FAMILIES;

use super::cases::{self, Case};
use super::{BACKENDS, Outcome, RUNTIMES, forms};

/// The largest difference of a folder on a runner, or in a form.
static MEASURED: Mutex<BTreeMap<(String, String), f64>> = Mutex::new(BTreeMap::new());

/// The pages, and what the columns of each are.
const PAGES: [&str; 2] = ["docs/zoo.md", "docs/forms.md"];

/// Notes what was measured; of several numbers the largest stays.
pub fn note(case: &Case, column: &str, difference: f64) {
    let key = (case.name.clone(), column.to_string());
    let mut measured = MEASURED.lock().unwrap();
    let known = measured.entry(key).or_default();
    *known = known.max(difference);
}

fn path(page: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(page)
}

/// Writes the tables; every folder must have been run on every backend and runtime, and in every
/// form.
pub fn write() {
    let runners = BACKENDS.into_iter().chain(RUNTIMES).map(str::to_string);
    page(PAGES[0], HEAD, &runners.collect::<Vec<_>>());
    let forms = forms::all().into_iter().map(|form| form.name);
    page(PAGES[1], FORMS, &forms.collect::<Vec<_>>());
}

fn page(name: &str, head: &str, columns: &[String]) {
    let measured = MEASURED.lock().unwrap();
    let mut text = String::from(head);
    text += &format!("| folder | family | task | {} |\n", columns.join(" | "));
    text += &format!("|---|---|---|{}\n", "---:|".repeat(columns.len()));
    for case in cases::all() {
        let cells = columns.iter().map(|column| {
            let found = measured.get(&(case.name.clone(), column.clone()));
            let found = found.unwrap_or_else(|| panic!("{}: no {column}", case.name));
            format!("{found:.1e}")
        });
        let cells: Vec<_> = cells.collect();
        let (name, model) = (&case.name, case.model());
        let (family, task) = (model.family(), model.task());
        text += &format!("| {name} | {family} | {task} | {} |\n", cells.join(" | "));
    }
    std::fs::create_dir_all(path(name).parent().unwrap()).unwrap();
    std::fs::write(path(name), text).unwrap();
}

/// Figures differ between machines, so only names are compared.
pub fn are_complete() -> Outcome {
    PAGES.into_iter().try_for_each(is_complete)
}

fn is_complete(page: &str) -> Outcome {
    let text = std::fs::read_to_string(path(page)).map_err(|e| format!("{page}: {e}"))?;
    let rows = text.lines().filter_map(|line| line.strip_prefix("| "));
    let listed: Vec<Vec<&str>> = rows.map(|row| row.split(" | ").collect()).collect();
    let families = FAMILIES.iter().map(|family| family.name.to_string());
    let folders = cases::all().map(|case| case.name.clone());
    let missing: Vec<String> = families
        .chain(folders)
        .filter(|name| !listed.iter().any(|row| row[0] == name || row[1] == name))
        .collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(format!(
            "{page} lacks {}; FLUXO_WRITE_DOCS=1 with this test writes it",
            missing.join(", ")
        ))
    }
}

const HEAD: &str = "# The zoo, measured

Every folder of the reference set (`tests/fixtures/hf`; `v4-` for `tests/fixtures/hf-v4`, the layout
that checkpoints of transformers 4 have) holds a small checkpoint with random weights and what
transformers returned for it in float32. The numbers are the largest difference of any output from
that, over the positions that the mask keeps, divided by the output's largest magnitude where that
is over 1. On the backends (flex, ndarray, wgpu) the hidden states of every layer count too; the
runtimes (tract, rten, ort) run the exported ONNX file and have the file's outputs.

## Which tokens count as positions

Each model counts as its class in transformers does, whatever the padding:

| models | a token's position is |
|---|---|
| bert, distilbert, electra, albert, modernbert, CLIP's texts; bart and marian, encoder and decoder | its column, padding counted |
| roberta | the number of tokens up to it whose number is not that of padding, whatever the mask says |
| decoders: gpt2, gpt-neox, llama and its kin, phi, opt; whisper's | the number of tokens before it that the mask keeps, as `generate` counts, here and in exported files; its column in `fluxo run` of a checkpoint, which is a plain call (of all but OPT) |
| t5 | none: the distance of two columns |
| bloom | none: the distance of two tokens by those that the mask keeps |

Given `position_ids` (`decoder_position_ids` of whisper) decide instead, wherever the class takes
them; `fluxo export --position-ids` makes them an input of the file. Heads read as transformers'
do too: the first column, or a token by its number, padding or not. `padding.safetensors` in every
folder holds what transformers made of padding on the left, holes, hidden rows and given positions.

## Differences

Written by `FLUXO_WRITE_DOCS=1 cargo test -p fluxo-tests --features wgpu --test reference`; figures
differ a little between machines.

";

const FORMS: &str = "# Every form of every file, measured

Every folder of the reference set (`docs/zoo.md`), exported in each operator set, for each target
and in 16 bits, and run at five sizes that no recording had: the largest difference of any output
from Burn on flex, in tract, rten and ONNX Runtime for operator sets and float16, in the runtime of
its name for a target, in ONNX Runtime alone for bfloat16, which the others cannot read. Positions
that the mask hides do not count; differences are divided by the output's largest magnitude where
that is over 1. Float32 must be within 2e-5; a unit of float16's last place is 9.8e-4. A file that a
runtime could not load would fail this check: there is none.

Written with `docs/zoo.md`; figures differ a little between machines.

";
