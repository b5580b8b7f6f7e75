//! The inputs that exported files are tried at.

use std::collections::BTreeMap;

use burn::tensor::TensorData;
use fluxo_models::Tensors;
use fluxo_models::blocks::embedding::Counting;
use fluxo_models::stack::{InputConfig, StackConfig};

use super::interface::{GraphInterface, GraphRole};
use crate::Case;
use crate::error::Result;
use crate::inputs::positions;
use crate::inputs::samples::{self, Sizes};
use crate::runner::Runner;

/// The batch sizes and sequence lengths that a file is tried at. The exporter traces at other
/// primes.
const SIZES: [(usize, usize); 6] = [(1, 1), (1, 2), (1, 17), (3, 1), (3, 2), (3, 17)];
/// The same for files that read images or sounds: those are of one size, and take long.
const FEW_SIZES: [(usize, usize); 2] = [(1, 17), (2, 2)];
/// The lengths of the calls of a decoding: a prompt, single tokens, and two at once.
const STEPS: [usize; 5] = [4, 1, 1, 2, 1];
/// Tokens of the text that an encoder-decoder reads while it decodes.
const SOURCE: usize = 7;

/// What a file is tried with.
#[derive(Default)]
pub(crate) struct Cases {
    /// The inputs.
    pub all: Vec<Case>,
    /// What the reference gave for some of them when the caches were made, by number.
    pub given: BTreeMap<usize, Tensors>,
}

/// Inputs of every size, and of a decoding in steps where the files have a cache, as the sizes
/// that are fixed allow; `reference` computes the caches.
pub(crate) fn cases(files: &[GraphInterface], reference: &mut dyn Runner) -> Result<Cases> {
    let mut cases = Cases::default();
    let Some(file) = files.last() else {
        return Ok(cases);
    };
    if file.cached() {
        decoding(file, reference, &mut cases)?;
    }
    // A past of a fixed length is there in every call.
    if file
        .fixed
        .get("past_sequence")
        .is_none_or(|past| *past == 0)
    {
        for sizes in sizes(file) {
            let Sizes {
                batch, sequence, ..
            } = sizes;
            let label = format!("at batch {batch}, sequence {sequence}");
            let mut inputs = samples::sized(&file.config, sizes);
            if file.position_ids {
                inputs.insert(positions::NAME.into(), given(file, &inputs)?);
            }
            cases.all.push((label, inputs));
        }
    }
    Ok(cases)
}

/// The sizes of [`SIZES`], each once, where nothing is fixed.
fn sizes(file: &GraphInterface) -> Vec<Sizes> {
    let longest = samples::longest(&file.config);
    let reads_text = |stack: &StackConfig| stack.tokens().is_some();
    let all = match file.config.stacks().all(|(_, stack)| reads_text(stack)) {
        true => &SIZES[..],
        // A decoding has the same sounds at every step.
        false if file.cached() => &FEW_SIZES[..1],
        false => &FEW_SIZES,
    };
    let mut found = Vec::new();
    for &(batch, seq) in all {
        let seq = seq.min(longest);
        let sizes = fixed(
            file,
            Sizes {
                batch,
                images: batch + 1,
                sequence: seq,
                written: seq.div_ceil(2),
            },
        );
        if !found.contains(&sizes) {
            found.push(sizes);
        }
    }
    found
}

/// Whether it reads sounds.
fn hears(file: &GraphInterface) -> bool {
    let sounds = |stack: &StackConfig| matches!(stack.input, InputConfig::Frames(_));
    file.config.stacks().any(|(_, stack)| sounds(stack))
}

/// `sizes`, but for those that are fixed.
fn fixed(file: &GraphInterface, sizes: Sizes) -> Sizes {
    let fixed = |name: &str, size| file.fixed.get(name).copied().unwrap_or(size);
    let (read, written) = match file.part {
        GraphRole::Whole => ("sequence", "decoder_sequence"),
        GraphRole::Encoder | GraphRole::Decoder => ("encoder_sequence", "sequence"),
    };
    Sizes {
        batch: fixed("batch", sizes.batch),
        images: fixed("image_batch", sizes.images),
        sequence: fixed(read, sizes.sequence),
        written: fixed(written, sizes.written),
    }
}

/// Appends the calls of a decoding, each with the cache of the one before.
fn decoding(file: &GraphInterface, reference: &mut dyn Runner, cases: &mut Cases) -> Result<()> {
    let config = &file.config;
    let longest = samples::longest(config);
    let wanted = |name: &str| file.fixed.get(name).copied();
    let steps = match (wanted("past_sequence"), wanted("sequence")) {
        (None | Some(0), None) => STEPS.to_vec(),
        (None, Some(seq)) => vec![seq; 3],
        (Some(0), Some(seq)) => vec![seq],
        (Some(past), seq) => vec![past, seq.unwrap_or(2)],
    };
    let pair = file.part == GraphRole::Decoder;
    // Half a minute of sound takes most of the time, and the exporter traces at other batches.
    let batch = if hears(file) { 1 } else { 2 };
    let (mut past, mut before, mut known) = (0, Tensors::new(), None);
    for (step, seq) in steps.into_iter().enumerate() {
        if past + seq > longest {
            break;
        }
        let sizes = Sizes {
            batch,
            images: 2,
            sequence: if pair { SOURCE.min(longest) } else { seq },
            written: seq,
        };
        let mut sizes = fixed(file, sizes);
        if pair {
            sizes.written = seq
        } else {
            sizes.sequence = seq
        }
        let mut now = samples::sized(config, sizes);
        if past > 0 {
            if !pair {
                // The padding of the prompt stays hidden, what comes after it is seen.
                let mask = &before["attention_mask"]; // [batch, past]
                let mask = extended(mask, sizes.batch, past, seq)?;
                now.insert("attention_mask".into(), mask);
            }
            let given = reference.run(&before)?;
            for (name, cache) in &given {
                if let Some(name) = name.strip_prefix("present.") {
                    now.insert(format!("past_key_values.{name}"), cache.clone());
                }
            }
            if let Some(case) = known {
                cases.given.insert(case, given);
            }
        }
        known = None;
        if file.position_ids {
            let counting = config.counting().unwrap_or(Counting::Kept);
            let counted = positions::counted(counting, &now, past)?;
            now.insert(positions::NAME.into(), counted);
        }
        if wanted("past_sequence").is_none_or(|wanted| wanted == past) {
            let label = format!("at step {step}, past {past}, sequence {seq}");
            known = Some(cases.all.len());
            cases.all.push((label, now.clone()));
        }
        (past, before) = (past + seq, now);
    }
    Ok(())
}

/// Positions of the tokens of `inputs`: counted in the first row, in the others the other way
/// round, as no file counts them itself.
fn given(file: &GraphInterface, inputs: &Tensors) -> Result<TensorData> {
    let counting = file.config.counting().unwrap_or(Counting::Columns);
    let counted = positions::counted(counting, inputs, 0)?;
    let shape = counted.shape().to_vec();
    let seq = shape.last().copied().unwrap_or_default();
    let mut numbers = crate::inputs::integers(positions::NAME, &counted)?;
    let rows = numbers.chunks_mut(seq.max(1)).skip(1);
    rows.for_each(<[i64]>::reverse);
    Ok(TensorData::new(numbers, shape))
}

/// `mask` of `[batch, past]` and `seq` ones behind each row.
fn extended(mask: &TensorData, batch: usize, past: usize, seq: usize) -> Result<TensorData> {
    let values = crate::inputs::integers("attention_mask", mask)?;
    let rows = values.chunks(past).map(|row| [row, &vec![1; seq]].concat());
    let values: Vec<i64> = rows.flatten().collect();
    Ok(TensorData::new(values, [batch, past + seq]))
}
