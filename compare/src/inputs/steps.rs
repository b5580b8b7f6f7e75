//! A decoding in steps: a prompt, then single tokens behind the cache of what came before.

use burn::tensor::TensorData;
use fluxo_models::{Model, OutputOptions, Tensors};

use super::samples::{self, Sizes};
use super::signature::Signature;
use crate::Case;
use crate::error::{Result, zoo};
use crate::files::OnnxModelFiles;
use fluxo_onnx::file::Dim;

/// Tokens of the prompt.
const PROMPT: usize = 5;
/// Tokens after it, one at a time.
const STEPS: usize = 3;
/// Tokens of the text that an encoder-decoder reads.
const SOURCE: usize = 7;

/// The steps that `graphs` can be tried at beside `model`, which computes the caches: a prompt of
/// two rows without padding, and single tokens after it. None where no file takes a cache, or one
/// has fixed sizes that say otherwise.
///
/// # Errors
/// When a file cannot be read, or `model` fails on a step.
pub fn steps(model: &Model, graphs: &[OnnxModelFiles]) -> Result<Vec<Case>> {
    let config = model.config();
    let (mut batch, mut cached, mut single) = (2, false, false);
    let all = graphs.iter().flat_map(|graph| {
        let whole = !matches!(graph, OnnxModelFiles::Split { .. });
        graph.files().into_iter().map(move |file| (file, whole))
    });
    for (file, whole) in all {
        let signature = Signature::read(file)?;
        if !signature.takes_a_past() {
            continue;
        }
        cached = true;
        for port in &signature.file.inputs {
            let fixed = |axis: usize| match port.dims.as_ref()?.get(axis)? {
                Dim::Fixed(size) => Some(*size),
                Dim::Named(_) => None,
            };
            // What an encoder reads may be of one length, as sounds are.
            let past =
                port.name.starts_with("past_key_values.") && !port.name.contains(".encoder.");
            match port.name.as_str() {
                "input_ids" if fixed(1).is_some_and(|seq| seq != 1) => return Ok(Vec::new()),
                "attention_mask" if fixed(1).is_some() => return Ok(Vec::new()),
                _ if past && fixed(2).is_some() => return Ok(Vec::new()),
                "input_ids" => {
                    batch = fixed(0).unwrap_or(batch);
                    single |= whole && fixed(1).is_some();
                }
                _ => {}
            }
        }
    }
    let longest = samples::longest(config);
    if !cached || !config.cached() || longest < PROMPT + STEPS {
        return Ok(Vec::new());
    }
    let both = config.encodes_and_decodes();
    let source = SOURCE.min(longest);
    let written = if both {
        "decoder_input_ids"
    } else {
        "input_ids"
    };
    let (mut cases, mut before): (Vec<Case>, Option<Tensors>) = (Vec::new(), None);
    for step in 0..=STEPS {
        let seq = if step == 0 { PROMPT } else { 1 };
        let past = if step == 0 { 0 } else { PROMPT + step - 1 };
        let sizes = Sizes {
            batch,
            images: batch,
            sequence: if both { source } else { seq },
            written: seq,
        };
        let mut now = samples::sized(config, sizes);
        if both && let Some(first) = cases.first() {
            // The source stays.
            for (name, data) in &first.1 {
                if name != written {
                    now.insert(name.clone(), data.clone());
                }
            }
        } else if now.contains_key("attention_mask") {
            let read = if both { source } else { past + seq };
            let ones = TensorData::ones::<i64, _>([batch, read]);
            now.insert("attention_mask".into(), ones);
        }
        if let Some(before) = before {
            for (name, cache) in model.run(&before, &OutputOptions::default()).map_err(zoo)? {
                if let Some(place) = name.strip_prefix("present.") {
                    now.insert(format!("past_key_values.{place}"), cache);
                }
            }
        }
        let label = match step {
            0 => format!("at a prompt of {PROMPT} tokens"),
            _ => format!("at step {step}, behind {past} tokens"),
        };
        cases.push((label, now.clone()));
        before = Some(now);
    }
    // A file that reads single tokens alone serves every step but the prompt.
    Ok(cases.split_off(usize::from(single)))
}
