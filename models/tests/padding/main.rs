//! Padding, other rows and a cache in pieces change nothing, but where transformers numbers
//! columns: every text family's fixture, on the default backend, against its own run of one row as a
//! whole, and against transformers (`world.rs`).
#![allow(clippy::unwrap_used)]

mod cache;
mod rows;
mod world;

use fluxo_models::{Model, Tensors};

use rows::{Padding, Rows, answers, checkpoints, difference, lengths, paddings, run, words};

/// The bound on differences: absolute, divided by the output's largest magnitude where that is
/// over 1. It is that of the comparison with transformers; float32 noise of these models is
/// about 1e-6.
const BOUND: f64 = 2e-5;

/// What `model` gives for row `row` of the batch, by name, at the positions that are kept.
type Answers = std::collections::BTreeMap<String, Vec<f32>>;

/// What `model` gives for a text by itself, without a mask. Encoder-decoders read `seq + 2`
/// tokens and write `seq`.
fn alone(model: &Model, seq: usize, seed: i64) -> Answers {
    let (source, target) = texts(model, seq, seed);
    let rows = [Rows::bare(&[source]), Rows::bare(&[target])];
    answers(model, &run(model, &rows, false), &rows, 0)
}

/// What an encoder, or a decoder alone, reads, and what the decoder behind an encoder reads.
fn texts(model: &Model, seq: usize, seed: i64) -> (Vec<i64>, Vec<i64>) {
    let source = if model.config().encodes_and_decodes() {
        seq + 2
    } else {
        seq
    };
    (words(model, source, seed), words(model, seq, seed + 1))
}

fn batch(
    model: &Model,
    texts: &[(Vec<i64>, Vec<i64>)],
    padding: Padding,
    more: usize,
) -> [Rows; 2] {
    let (sources, targets): (Vec<_>, Vec<_>) = texts.iter().cloned().unzip();
    [sources, targets].map(|rows| Rows::padded(model, &rows, padding, more))
}

fn assert_same(what: &str, alone: &Answers, found: &Answers) {
    assert!(
        alone.len() >= 2 || alone.contains_key("logits_per_text"),
        "{what}"
    );
    assert!(alone.keys().eq(found.keys()), "{what}");
    for (name, wanted) in alone {
        let difference = difference(&found[name], wanted);
        assert!(difference <= BOUND, "{what} {name}: {difference:e}");
    }
}

/// A short row padded to the width of a long one, on either side where the model numbers tokens:
/// both are what they are alone.
#[test]
fn padding_changes_nothing() {
    for (name, model) in checkpoints() {
        for seq in lengths(&model, 3) {
            for &padding in paddings(&model) {
                let rows = [texts(&model, seq, 1), texts(&model, seq + 3, 5)];
                let rows = batch(&model, &rows, padding, 0);
                let outputs: Tensors = run(&model, &rows, true);
                for (row, seq, seed) in [(0, seq, 1), (1, seq + 3, 5)] {
                    let what = format!("{name}, {seq} tokens, row {row}, {padding:?}");
                    let found = answers(&model, &outputs, &rows, row);
                    assert_same(&what, &alone(&model, seq, seed), &found);
                }
            }
        }
    }
}

/// The same with padding beside the longest row too, a row that is nothing but padding, and
/// rows of one length without a mask.
#[test]
fn rows_are_independent() {
    for (name, model) in checkpoints() {
        for seq in lengths(&model, 2) {
            let wanted = alone(&model, seq, 1);
            let real = texts(&model, seq, 1);
            let empty = (Vec::new(), Vec::new());
            for &padding in paddings(&model) {
                let rows = [real.clone(), empty.clone(), real.clone()];
                let rows = batch(&model, &rows, padding, 2);
                let outputs = run(&model, &rows, true);
                for row in [0, 2] {
                    let what = format!("{name}, {seq} tokens beside an empty row, {padding:?}");
                    assert_same(&what, &wanted, &answers(&model, &outputs, &rows, row));
                }
            }
            let rows = [real.clone(), texts(&model, seq, 9), real];
            let rows = batch(&model, &rows, Padding::Right, 0);
            let outputs = run(&model, &rows, false);
            for row in [0, 2] {
                let what = format!("{name}, {seq} tokens beside another row");
                assert_same(&what, &wanted, &answers(&model, &outputs, &rows, row));
            }
        }
    }
}
