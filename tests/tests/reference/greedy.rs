//! Greedy tokens from named inputs and outputs alone.

use burn::tensor::TensorData;
use fluxo_models::Tensors;

use super::cases::Case;
use super::{Outcome, RUNTIMES, runner};

/// The ten tokens that transformers chose after row 0. A cache that is given is fed back, a token
/// at a time; without one the whole text is read each time.
pub fn tokens(case: &'static Case, name: &'static str) -> Outcome {
    let mut runner = runner(case, name)?;
    let reference = case.tensors();
    let all = reference["out.greedy"].as_slice::<i64>().unwrap();
    let (prompt, mut wanted) = all.split_at(all.len() - 10);
    if !RUNTIMES.contains(&name) {
        // One reference goes beyond the positions that its model has, which a backend refuses.
        let room = case.config().max_positions() + 1 - prompt.len();
        wanted = &wanted[..room.min(10)];
    }
    let encodes = reference.contains_key("in.decoder_input_ids");
    let text = if encodes {
        "decoder_input_ids"
    } else {
        "input_ids"
    };
    let mut inputs = Tensors::new();
    if encodes {
        let read = ["input_ids", "attention_mask", "input_features"];
        let given = read.into_iter().filter_map(|name| {
            let data = reference.get(&format!("in.{name}"))?;
            Some((name.to_string(), first_row(data)))
        });
        inputs.extend(given);
    }
    let (mut unread, mut got) = (prompt.to_vec(), Vec::new());
    while got.len() < wanted.len() {
        let shape = [1, unread.len()];
        inputs.insert(text.into(), TensorData::new(unread.clone(), shape));
        let outputs = runner.run(&inputs).map_err(|e| e.to_string())?;
        let next = likeliest(&outputs["logits"]);
        got.push(next);
        let caches = outputs.into_iter().filter_map(|(name, cache)| {
            let name = name.strip_prefix("present.")?.to_string();
            Some((format!("past_key_values.{name}"), cache))
        });
        let caches: Vec<_> = caches.collect();
        if !caches.is_empty() {
            unread.clear();
        }
        unread.push(next);
        inputs.extend(caches);
    }
    if got == wanted {
        Ok(())
    } else {
        Err(format!("{got:?} is not {wanted:?}"))
    }
}

/// Row 0 of `[batch, …]`, as `[1, …]`.
fn first_row(data: &TensorData) -> TensorData {
    let mut shape = data.shape().to_vec();
    let row = shape[1..].iter().product();
    shape[0] = 1;
    match data.as_slice::<i64>() {
        Ok(values) => TensorData::new(values[..row].to_vec(), shape),
        Err(_) => TensorData::new(data.as_slice::<f32>().unwrap()[..row].to_vec(), shape),
    }
}

/// The token with the largest logit at the last position.
fn likeliest(logits: &TensorData) -> i64 {
    let vocab = *logits.shape().to_vec().last().unwrap();
    let logits = logits.as_slice::<f32>().unwrap();
    let last = &logits[logits.len() - vocab..];
    let best = (0..vocab).max_by(|&a, &b| last[a].total_cmp(&last[b]));
    best.unwrap() as i64
}
