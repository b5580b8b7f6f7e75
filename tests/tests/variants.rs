//! The reference set as other checkpoints have it: in 16 bits, in shards, as `.bin` of both
//! forms, with version 4's configuration, with foreign prefixes. `fixtures/generate.py` writes
//! them.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use fluxo_models::{Model, checkpoint::store::Store};
use fluxo_tests::{checkpoints, fixture, largest_difference, python, python_has, trial};
use libtest_mimic::Arguments;

/// The bound for CPUs: float32 noise of the reference models is some 1e-6.
const BOUND: f64 = 2e-5;
const VARIANTS: [&str; 7] = ["f16", "bf16", "shards", "bin", "bin-legacy", "prefix", "v4"];

fn main() {
    let mut trials = Vec::new();
    for root in ["hf", "hf-v4"] {
        for folder in checkpoints(root) {
            let family = folder.file_name().unwrap().to_string_lossy().into_owned();
            for variant in VARIANTS {
                if root == "hf-v4" && variant == "v4" {
                    continue; // they are
                }
                let (family, original) = (family.clone(), folder.clone());
                trials.push(trial(
                    format!("{root} {family} {variant}"),
                    python_has("safetensors"),
                    move || agrees(root, &family, &original, variant),
                ));
            }
        }
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

fn agrees(root: &str, family: &str, original: &Path, variant: &str) -> Result<(), String> {
    let folder = written(root)?.join(variant).join(family);
    let reference = match (variant, root) {
        // No one computed outputs for these; that the weights are those of the file is enough.
        ("bf16", _) => return rounded(&folder, original),
        ("f16", "hf") => fixture("hf-f16").join(family),
        ("f16", _) => fixture("hf-f16").join(format!("v4-{family}")),
        _ => original.to_path_buf(),
    };
    let reference = reference.join("reference.safetensors");
    for backend in ["flex", "ndarray"] {
        largest_difference(&folder, &reference, backend, BOUND)
            .map_err(|e| format!("{backend}: {e}"))?;
    }
    Ok(())
}

/// Every weight of `folder` is the one of `original`, rounded to the eight bits of a bfloat16.
fn rounded(folder: &Path, original: &Path) -> Result<(), String> {
    let device = fluxo_backends::device("flex").unwrap();
    Model::load(folder, None, &device).map_err(|e| e.to_string())?;
    let all = |store: &Store, name: &str| {
        let mut values = Vec::new();
        let entry = store.get(name).unwrap();
        entry
            .read(&mut |_, piece| values.extend_from_slice(piece))
            .unwrap();
        values
    };
    let (found, wanted) = (Store::open(folder).unwrap(), Store::open(original).unwrap());
    let mut count = 0;
    for name in wanted.names() {
        for (found, wanted) in all(&found, name).iter().zip(all(&wanted, name)) {
            // Half a unit of the eighth bit.
            let bound = wanted.abs() / 256.0;
            if (found - wanted).abs() > bound || found.to_bits() & 0xffff != 0 {
                return Err(format!("{name}: {found} is not {wanted}, rounded"));
            }
            count += 1;
        }
    }
    if count > 0 {
        Ok(())
    } else {
        Err("no weights".into())
    }
}

/// The folder of all variants of the checkpoints in `root`, written once.
fn written(root: &str) -> Result<PathBuf, String> {
    static FOLDER: LazyLock<Result<tempfile::TempDir, String>> = LazyLock::new(|| {
        let folder = tempfile::tempdir().unwrap();
        for root in ["hf", "hf-v4"] {
            let output = Command::new(python())
                .arg(fixture("generate.py"))
                .arg(fixture(root))
                .arg(folder.path().join(root))
                .args(VARIANTS.iter().filter(|v| root == "hf" || **v != "v4"))
                .output()
                .map_err(|e| e.to_string())?;
            if !output.status.success() {
                return Err(String::from_utf8_lossy(&output.stderr).into_owned());
            }
        }
        Ok(folder)
    });
    let folder = FOLDER.as_ref().map_err(String::clone)?;
    Ok(folder.path().join(root))
}
