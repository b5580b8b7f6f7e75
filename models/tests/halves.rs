//! Models that leave the range of float16 where transformers does not (transformers#5651): what they
//! give in float16 and in bfloat16 is what transformers gives there. `tests/fixtures/make_halves.py`
//! says where the values come from.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use burn::tensor::{DType, TensorData};
use fluxo_models::{Model, OutputOptions, Tensors, tensors};

/// Largest difference to transformers, in units of the last place at the largest magnitude: two
/// computations that round a few times in other places, each as `precision.rs` allows to float32.
const UNITS: f32 = 16.0;

fn cases() -> Vec<PathBuf> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/reports/t5-half");
    let folders = std::fs::read_dir(home).unwrap();
    let mut found: Vec<_> = folders.map(|entry| entry.unwrap().path()).collect();
    found.sort();
    assert_eq!(found.len(), 5);
    found
}

/// What the checkpoint in `folder` gives in `dtype` for its reference's inputs.
fn outputs(folder: &Path, reference: &Tensors, dtype: DType) -> Tensors {
    let device = fluxo_backends::device("flex").unwrap();
    let (model, _) = Model::load_as(folder, None, &device, dtype).unwrap();
    let mut inputs = reference.clone();
    inputs.retain(|name, _| name.starts_with("in."));
    model.run(&inputs, &OutputOptions::default()).unwrap()
}

fn values(data: &TensorData) -> Vec<f32> {
    data.iter::<f32>().collect()
}

/// The place of the largest value of each row.
fn decided(values: &[f32], width: usize) -> Vec<usize> {
    let rows = values.chunks(width);
    rows.map(|row| {
        (0..width)
            .max_by(|a, b| row[*a].total_cmp(&row[*b]))
            .unwrap()
    })
    .collect()
}

fn near(prefix: &str, dtype: DType, unit: f32) {
    for folder in cases() {
        let reference = tensors::read(&folder.join("reference.safetensors")).unwrap();
        let found = outputs(&folder, &reference, dtype);
        let wanted = reference.iter().filter_map(|(name, data)| {
            let name = name.strip_prefix(prefix)?;
            Some((name, data))
        });
        for (name, wanted) in wanted {
            let width = *wanted.shape().to_vec().last().unwrap();
            let (found, wanted) = (values(&found[name]), values(wanted));
            let place = folder.file_name().unwrap().display();
            assert!(
                found.iter().all(|value| value.is_finite()),
                "{place} {name}"
            );
            assert_eq!(
                decided(&found, width),
                decided(&wanted, width),
                "{place} {name}"
            );
            let largest = wanted.iter().fold(0_f32, |most, v| most.max(v.abs()));
            let worst = found.iter().zip(&wanted).map(|(a, b)| (a - b).abs());
            let worst = worst.fold(0_f32, f32::max) / largest / unit;
            println!("{place} {dtype:?} {name}: {worst:.1} units");
            assert!(worst <= UNITS, "{place} {name}: {worst} units");
        }
    }
}

#[test]
fn float16_gives_what_transformers_gives() {
    near("half.", DType::F16, 2f32.powi(-10));
}

#[test]
fn bfloat16_gives_what_transformers_gives() {
    near("bf16.", DType::BF16, 2f32.powi(-7));
}

/// Loaded in float32 and made narrower, a model keeps the same weights wide.
#[test]
fn narrowed_models_are_those_that_were_loaded_so() {
    let folder = &cases()[3];
    let reference = tensors::read(&folder.join("reference.safetensors")).unwrap();
    let device = fluxo_backends::device("flex").unwrap();
    let (model, _) = Model::load(folder, None, &device).unwrap();
    let mut inputs = reference.clone();
    inputs.retain(|name, _| name.starts_with("in."));
    let narrowed = model.in_precision(DType::F16);
    let given = narrowed.run(&inputs, &OutputOptions::default()).unwrap();
    let loaded = outputs(folder, &reference, DType::F16);
    assert!(
        values(&given["logits"])
            .iter()
            .all(|value| value.is_finite())
    );
    assert_eq!(given["logits"], loaded["logits"]);
}
