//! Padding on the left, holes, rows that are hidden whole, positions that are given: what
//! transformers makes of them (`padding.safetensors`, by `tests/fixtures/make_references.py
//! --padding`), of every text family and head.

use std::path::PathBuf;

use burn::tensor::TensorData;
use fluxo_models::{Model, OutputOptions, Tensors, tensors};

use super::BOUND;
use super::rows::difference;

/// How many of an output's last axis the references hold.
const CUT: usize = 16;

/// The rows of `data`, `[rows, width, …]` or `[rows, …]`, that `keep` `[rows, width]` keeps, by
/// position where there are positions, of each the first values.
fn kept(data: &TensorData, keep: &[i64], rows: usize, by_position: bool) -> Vec<f32> {
    let shape = data.shape().to_vec();
    let last = match (by_position, shape.len()) {
        (true, 2) => 1,
        _ => *shape.last().unwrap(),
    };
    let values = data.as_slice::<f32>().unwrap();
    let width = keep.len() / rows;
    let counts = |i: usize| {
        if by_position {
            keep[i] == 1
        } else {
            keep[i * width..(i + 1) * width].contains(&1)
        }
    };
    let entries = values.chunks(last).enumerate().filter(|(i, _)| counts(*i));
    entries
        .flat_map(|(_, entry)| entry[..last.min(CUT)].to_vec())
        .collect()
}

/// `keep` without the rows whose source is hidden whole: what is read of nothing is the mean of the
/// hidden in transformers' eager attention, and 0 here and in its fused one.
fn with_a_source(mut keep: Vec<i64>, source: Option<&TensorData>, rows: usize) -> Vec<i64> {
    let Some(source) = source else { return keep };
    let source: Vec<i64> = source.clone().convert::<i64>().try_into_vec().unwrap();
    let width = keep.len() / rows;
    for (row, source) in source.chunks(source.len() / rows).enumerate() {
        if !source.contains(&1) {
            keep[row * width..(row + 1) * width].fill(0);
        }
    }
    keep
}

fn checked(name: &str, model: &Model, inputs: &Tensors, wanted: &Tensors) -> f64 {
    let outputs = model.run(inputs, &OutputOptions::default()).unwrap();
    let mut worst = 0f64;
    for (output, wanted) in wanted {
        let found = &outputs[output];
        let mask = if output.starts_with("encoder_") || !inputs.contains_key("decoder_input_ids") {
            inputs.get("attention_mask")
        } else {
            inputs.get("decoder_attention_mask")
        };
        let shape = found.shape().to_vec();
        let keep = match mask {
            Some(mask) => mask.clone().convert::<i64>().try_into_vec().unwrap(),
            // Sounds have no padding.
            None => vec![1; shape[0] * shape[1]],
        };
        let keep = with_a_source(keep, inputs.get("attention_mask"), shape[0]);
        let by_position = shape.len() == 3 || output.ends_with("_logits");
        let [found, wanted] = [found, wanted].map(|data| kept(data, &keep, shape[0], by_position));
        assert!(!found.is_empty(), "{name}: {output}");
        let difference = difference(&found, &wanted);
        assert!(difference <= BOUND, "{name}: {output}: {difference:e}");
        worst = worst.max(difference);
    }
    worst
}

#[test]
fn padding_is_what_transformers_makes_of_it() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/hf");
    let device = fluxo_backends::device("flex").unwrap();
    let (mut folders, mut given) = (0, 0);
    let mut entries: Vec<_> = std::fs::read_dir(root)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    entries.sort();
    for folder in entries {
        let file = folder.join("padding.safetensors");
        if !file.is_file() {
            continue;
        }
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let model = Model::load(&folder, None, &device).unwrap().0;
        let tensors = tensors::read(&file).unwrap();
        let group = |prefix: &str| -> Tensors {
            let own = tensors.iter().filter_map(|(name, data)| {
                Some((name.strip_prefix(prefix)?.to_string(), data.clone()))
            });
            own.collect()
        };
        let inputs = group("in.");
        checked(&name, &model, &inputs, &group("out."));
        folders += 1;
        let positions = group("given.in.");
        if !positions.is_empty() {
            let inputs = inputs.into_iter().chain(positions).collect();
            checked(
                &format!("{name}, positions given"),
                &model,
                &inputs,
                &group("given.out."),
            );
            given += 1;
        }
    }
    assert!(
        folders >= 50 && given >= 38,
        "only {folders} folders, {given} with positions given"
    );
}

/// What transformers does not take is refused by name, and so is what it takes for several texts.
#[test]
fn positions_that_mean_something_else_are_refused() {
    let device = fluxo_backends::device("flex").unwrap();
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/hf");
    let refused = |family: &str, positions: &[i64], limit: Option<&str>| {
        let model = Model::load(&root.join(family), None, &device).unwrap().0;
        let ids = TensorData::new(vec![5_i64, 6, 7, 8], [1, 4]);
        let positions = TensorData::new(positions.to_vec(), [1, positions.len()]);
        let mut inputs = Tensors::from([
            ("input_ids".to_string(), ids.clone()),
            ("position_ids".to_string(), positions),
        ]);
        if model.config().encodes_and_decodes() {
            inputs.insert("decoder_input_ids".into(), ids);
        }
        let result = model.run(&inputs, &OutputOptions::default());
        match limit {
            Some(limit) => {
                let error = result.unwrap_err().to_string();
                assert!(error.contains(limit), "{family}: {error}");
            }
            None => drop(result.unwrap()),
        }
    };
    let takes_none = Some("takes no `position_ids`");
    for family in ["t5", "bart", "marian", "bloom"] {
        refused(family, &[0, 1, 2, 3], takes_none);
    }
    refused("gpt2", &[0, 1, 0, 1], Some("several texts in a row"));
    refused("gpt2", &[3, 4, 5, 6], None);
    refused("gpt2", &[0, 1, 2, 1 << 20], Some("must be from 0 to"));
    refused("gpt2", &[0, 1, 2], Some("must be [1, 4]"));
    // An encoder's rows are one text.
    refused("bert", &[0, 1, 0, 1], None);
}
