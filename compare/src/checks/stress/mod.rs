//! Hard inputs, and the smallest that still show a difference.

use burn::tensor::{DType, TensorData};
use fluxo_models::{Model, NetworkConfig, OutputOptions, Tensors};
pub use fluxo_verify::report::{Shrunk, Stress};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::Case;
use crate::error::{Result, zoo};
use crate::inputs::integers;
use crate::inputs::samples::{self, Sizes};
use crate::runner::Runner;

/// The longest text that is tried, where a model reads longer ones.
const LONG: usize = 256;
/// Tokens whose embeddings are looked at for large ones.
const SEARCHED: usize = 2048;
/// The most comparisons that shrinking makes.
const TRIALS: usize = 80;
/// The largest number in 16 bits, and the smallest over 0 (IEEE 754 binary16).
const HALF: [f32; 2] = [65504.0, 5.960_464_5e-8];

/// Hard inputs of a network of `config`, and random ones of `seeds` seeds. With `model` the tokens
/// with the largest embeddings are among them.
///
/// # Errors
/// When `model` fails on its own tokens.
pub fn cases(config: &NetworkConfig, model: Option<&Model>, seeds: u64) -> Result<Vec<Case>> {
    let longest = samples::longest(config);
    let long = longest.min(LONG);
    let some = long.min(12);
    let mut cases: Vec<Case> = Vec::new();
    let mut add = |label: &str, inputs: Tensors| cases.push((format!("at {label}"), inputs));
    let plain = |batch, seq| samples::sized(config, sizes(batch, seq));
    add("sequence 1", plain(1, 1));
    add("an odd batch and length", plain(3, long.min(13)));
    add("the longest text", plain(1, long));
    let texts = plain(3, some);
    if texts.contains_key("attention_mask") {
        let masked = |keeps: &dyn Fn(usize, usize) -> bool| {
            let mut inputs = plain(3, some);
            let mask = (0..3 * some).map(|i| i64::from(keeps(i / some, i % some)));
            let mask = TensorData::new(mask.collect::<Vec<_>>(), [3, some]);
            inputs.insert("attention_mask".into(), mask);
            inputs
        };
        // A third of the second row, two thirds of the last.
        add("right padding", masked(&|row, s| s < some - some * row / 3));
        add("left padding", masked(&|row, s| s >= some * row / 3));
        add("a row that is masked whole", masked(&|row, _| row != 1));
    }
    let tokens = ["input_ids", "decoder_input_ids"];
    if tokens.iter().any(|name| texts.contains_key(*name)) {
        let vocab = config.vocab_size();
        let of = |token: &dyn Fn(usize) -> usize| {
            let mut inputs = plain(2, some);
            for name in tokens {
                if let Some(data) = inputs.get(name) {
                    let shape = data.shape().to_vec();
                    let count = shape.iter().product();
                    let ids: Vec<i64> = (0..count).map(|i| (token(i) % vocab) as i64).collect();
                    inputs.insert(name.to_string(), TensorData::new(ids, shape));
                }
            }
            inputs
        };
        add("one token repeated", of(&|_| 5));
        add(
            "the first token and the last",
            of(&|i| (i % 2) * (vocab - 1)),
        );
        if let Some(large) = model
            .map(outliers)
            .transpose()?
            .filter(|large| !large.is_empty())
        {
            add(
                "the tokens with the largest embeddings",
                of(&|i| large[i % large.len()]),
            );
        }
    }
    for name in ["pixel_values", "input_features"] {
        let Some(wave) = texts.get(name) else {
            continue;
        };
        let shape = wave.shape().to_vec();
        let waves: Vec<f32> = wave.iter::<f32>().collect();
        let with = |value: &dyn Fn(usize, f32) -> f32| {
            let values = waves.iter().enumerate().map(|(i, wave)| value(i, *wave));
            let data = TensorData::new(values.collect::<Vec<_>>(), shape.clone());
            let mut inputs = texts.clone();
            inputs.insert(name.to_string(), data);
            inputs
        };
        add("nothing but zeros", with(&|_, _| 0.0));
        add(
            "outliers a hundred times as large",
            with(&|i, wave| if i % 97 == 0 { 100.0 * wave } else { wave }),
        );
        add(
            "the largest numbers of 16 bits",
            with(&|_, wave| HALF[0] * wave.signum()),
        );
        add(
            "the smallest numbers of 16 bits",
            with(&|_, wave| HALF[1] * wave.signum()),
        );
    }
    for seed in 0..seeds {
        cases.push((format!("at seed {seed}"), random(config, seed)));
    }
    Ok(cases)
}

fn sizes(batch: usize, seq: usize) -> Sizes {
    Sizes {
        batch,
        images: batch + 1,
        sequence: seq,
        written: seq.div_ceil(2),
    }
}

/// Inputs of a random size, tokens and values drawn evenly, a part of each row padded.
fn random(config: &NetworkConfig, seed: u64) -> Tensors {
    let mut random = StdRng::seed_from_u64(seed);
    let longest = samples::longest(config).min(24);
    let sizes = sizes(random.random_range(1..=3), random.random_range(1..=longest));
    let vocab = config.vocab_size().max(1) as i64;
    let mut inputs = samples::sized(config, sizes);
    for (name, data) in &mut inputs {
        let shape = data.shape().to_vec();
        let count: usize = shape.iter().product();
        *data = match name.as_str() {
            "input_ids" | "decoder_input_ids" => {
                let ids = (0..count).map(|_| random.random_range(0..vocab));
                TensorData::new(ids.collect::<Vec<_>>(), shape)
            }
            "attention_mask" => {
                let lengths: Vec<usize> = (0..shape[0])
                    .map(|_| random.random_range(1..=shape[1]))
                    .collect();
                let mask = (0..count).map(|i| i64::from(i % shape[1] < lengths[i / shape[1]]));
                TensorData::new(mask.collect::<Vec<_>>(), shape)
            }
            _ if data.dtype() == DType::F32 => {
                let values = (0..count).map(|_| random.random_range(-2.0_f32..2.0));
                TensorData::new(values.collect::<Vec<_>>(), shape)
            }
            _ => continue,
        };
    }
    inputs
}

/// Of the tokens that are looked at, the eight whose embeddings have the largest entries.
fn outliers(model: &Model) -> Result<Vec<usize>> {
    let config = model.config();
    let vocab = config.vocab_size().min(SEARCHED);
    let length = samples::longest(config).clamp(1, LONG);
    let request = OutputOptions {
        hidden_states: true,
        ..OutputOptions::default()
    };
    let mut found: Vec<(f64, usize)> = Vec::new();
    for from in (0..vocab).step_by(length) {
        let ids: Vec<i64> = (from..(from + length).min(vocab))
            .map(|id| id as i64)
            .collect();
        let shape = [1, ids.len()];
        let mut inputs = samples::sized(config, sizes(1, ids.len()));
        for name in ["input_ids", "decoder_input_ids"] {
            if inputs.contains_key(name) {
                inputs.insert(name.into(), TensorData::new(ids.clone(), shape));
            }
        }
        inputs.remove("attention_mask");
        let outputs = model.run(&inputs, &request).map_err(zoo)?;
        let embedded = outputs.iter().find(|(name, data)| {
            name.ends_with("hidden_states.0") && data.shape().as_slice()[..2] == shape
        });
        let Some((_, embedded)) = embedded else {
            return Ok(Vec::new());
        };
        let width = embedded.shape().as_slice()[2];
        let values: Vec<f64> = embedded.iter::<f64>().collect();
        for (row, id) in values.chunks(width.max(1)).zip(ids) {
            let largest = row
                .iter()
                .fold(0.0_f64, |most, value| most.max(value.abs()));
            found.push((largest, id as usize));
        }
    }
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    Ok(found.into_iter().take(8).map(|(_, id)| id).collect())
}

/// `cases` that every one of `runners` takes, and the others with the reason: sizes that a file
/// has fixed, a row that a model refuses.
pub fn possible(
    runners: &mut [Box<dyn Runner>],
    cases: Vec<Case>,
) -> (Vec<Case>, Vec<(String, String)>) {
    let (mut good, mut left_out) = (Vec::new(), Vec::new());
    for (label, inputs) in cases {
        let mut runs = runners.iter_mut().map(|runner| runner.run(&inputs));
        match runs.find_map(|run| run.err().filter(crate::Error::is_input)) {
            Some(error) => left_out.push((label, error.to_string())),
            None => good.push((label, inputs)),
        }
    }
    (good, left_out)
}

/// The smallest inputs made of `inputs` for which `fails` still holds, as far as a limited number
/// of trials finds them: one row, then a shorter text, then plainer tokens.
pub fn shrink(
    case: &str,
    inputs: &Tensors,
    mut fails: impl FnMut(&Tensors) -> bool,
) -> (Tensors, Shrunk) {
    let (mut best, mut trials) = (inputs.clone(), 0);
    let mut better = |candidate: Option<Tensors>, best: &mut Tensors| {
        let Some(candidate) = candidate.filter(|_| trials < TRIALS) else {
            return false;
        };
        trials += 1;
        let found = fails(&candidate);
        if found {
            *best = candidate;
        }
        found
    };
    let batch = rows(&best);
    if batch > 1 {
        let whole = best.clone();
        let _ = (0..batch).any(|row| better(one_row(&whole, batch, row), &mut best));
    }
    for group in [
        &["input_ids", "attention_mask", "token_type_ids"][..],
        &["decoder_input_ids", "decoder_attention_mask"],
    ] {
        let whole = best.clone();
        let length = whole
            .get(group[0])
            .and_then(|ids| ids.shape().as_slice().get(1).copied());
        let length = length.unwrap_or(0);
        // Every length where there are few, otherwise powers of two.
        let shorter: Vec<usize> = if length <= 24 {
            (1..length).collect()
        } else {
            (0..)
                .map(|power| 1 << power)
                .take_while(|l| *l < length)
                .collect()
        };
        let _ = shorter
            .into_iter()
            .any(|length| better(shorter_text(&whole, group, length), &mut best));
        let count = best
            .get(group[0])
            .map_or(0, |ids| ids.shape().num_elements());
        for at in 0..count {
            let plain = plainer(&best, group[0], at);
            better(plain, &mut best);
        }
    }
    let shapes = best
        .iter()
        .map(|(name, data)| (name.clone(), data.shape().to_vec()));
    let shrunk = Shrunk {
        case: case.to_string(),
        shapes: shapes.collect(),
        trials,
    };
    (best, shrunk)
}

/// The rows of the first input that has any.
fn rows(inputs: &Tensors) -> usize {
    let first = ["input_ids", "pixel_values", "input_features"];
    let mut named = first.iter().filter_map(|name| inputs.get(*name));
    let shape = named.next().map(|data| data.shape().to_vec());
    shape.and_then(|shape| shape.first().copied()).unwrap_or(1)
}

/// Row `row` of every input of `batch` rows.
fn one_row(inputs: &Tensors, batch: usize, row: usize) -> Option<Tensors> {
    let own = |(name, data): (&String, &TensorData)| {
        let data = match data.shape().as_slice().first() {
            Some(rows) if *rows == batch => samples::row(name, data, row).ok()?,
            _ => data.clone(),
        };
        Some((name.clone(), data))
    };
    inputs.iter().map(own).collect()
}

/// The first `length` tokens of the inputs of `group`.
fn shorter_text(inputs: &Tensors, group: &[&str], length: usize) -> Option<Tensors> {
    let mut inputs = inputs.clone();
    for name in group {
        let Some(data) = inputs.get(*name) else {
            continue;
        };
        let [batch, seq] = *data.shape().as_slice() else {
            return None;
        };
        let values = integers(name, data).ok()?;
        let kept = values.chunks(seq).flat_map(|row| &row[..length]).copied();
        let kept = TensorData::new(kept.collect::<Vec<i64>>(), [batch, length]);
        inputs.insert(name.to_string(), kept);
    }
    // A text of padding alone shows nothing.
    let mask = inputs
        .get("attention_mask")
        .map(|mask| integers("attention_mask", mask));
    let seen = !matches!(mask, Some(Ok(mask)) if mask.iter().all(|keep| *keep == 0));
    seen.then_some(inputs)
}

/// Token `at` as token 0; none where it is.
fn plainer(inputs: &Tensors, name: &str, at: usize) -> Option<Tensors> {
    let data = inputs.get(name)?;
    let mut ids = integers(name, data).ok()?;
    if *ids.get(at)? == 0 {
        return None;
    }
    ids[at] = 0;
    let mut inputs = inputs.clone();
    let shape = data.shape().to_vec();
    inputs.insert(name.to_string(), TensorData::new(ids, shape));
    Some(inputs)
}

#[cfg(test)]
mod tests;
