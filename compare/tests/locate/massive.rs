//! Tokens that hold values a thousand times those of the rest (arXiv:2402.17762): they hide
//! nothing, and nobody is blamed for how they round.

use super::*;

/// A model in which a few tokens of [`inputs`] are such, from the first block on.
fn massive(seed: u64) -> Model {
    let set = [("num_hidden_layers", "4"), ("hidden_size", "64")];
    let mut model = model("llama", &set, seed);
    let vocab = model.config().vocab_size();
    let tokens = inputs(&model, 0)["input_ids"].clone();
    let stack = stack(&mut model);
    let table = stack.embedding.as_mut().unwrap().token.as_mut().unwrap();
    table.weight = with(&table.weight, |values| {
        let width = values.len() / vocab;
        for token in tokens.iter::<i64>().take(3) {
            values[token as usize * width + 5] = 1000.0;
            values[token as usize * width + 9] = -700.0;
        }
    });
    model
}

/// `seed + 1` rows, up to 4.
fn inputs(model: &Model, seed: usize) -> Tensors {
    samples::inputs(model.config(), 1 + seed % 4, 9)
}

#[test]
fn a_hundredth_of_a_percent_of_one_row_is_found_beside_them() {
    let good = massive(21);
    for (layer, row) in [(1, 7), (3, 30)] {
        let bad = changed(&good, layer, |block| {
            let up = &mut block.feed_forward.as_mut().unwrap().up;
            up.weight = one_row(&up.weight, row);
        });
        let path = format!("decoder.layers.{layer}.feed_forward.up");
        found(&between(&good, &bad), &path);
        let bad = changed(&good, layer, |block| {
            let value = &mut block.attention.value;
            value.weight = one_row(&value.weight, row);
        });
        let path = format!("decoder.layers.{layer}.attention.value");
        found(&between(&good, &bad), &path);
    }
}

#[test]
fn nobody_is_blamed_for_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = [folder.path().join("massive")];
    for seed in 0..4 {
        let good = massive(22 + seed);
        good.save(&path[0]).unwrap();
        let inputs = inputs(&good, seed as usize);
        let opened = open::open(&path, &[], OutputOptions::default()).unwrap();
        let names: Vec<String> = opened
            .runners
            .iter()
            .map(|it| it.name().to_string())
            .collect();
        let found = open::locate(&path, &names, &inputs).unwrap().unwrap();
        for location in found {
            assert!(location.path.is_none(), "{seed}: {location}");
        }
        // Nor is their export refused.
        let report = export(
            &good,
            &folder.path().join("exported"),
            &ExportOptions::default(),
        );
        assert!(report.unwrap().verification.unwrap().agrees());
    }
}
