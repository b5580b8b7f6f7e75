//! An ONNX file against Burn, at sizes that no trace had.

use std::path::Path;

use burn::tensor::TensorData;
use fluxo_models::stack::StackConfig;
use fluxo_models::{Model, Request, Tensors};

use crate::compare::compare_cases;
use crate::error::Result;
use crate::export::ExportOptions;
use crate::interface::Interface;
use crate::report::{Report, Skipped};
use crate::runner::{Runner, burn::Burn, rten, rten::Rten, tract, tract::Tract};
use crate::samples;

/// The batch sizes and sequence lengths that a file is tried at. The exporter traces at other
/// primes.
const SIZES: [(usize, usize); 6] = [(1, 1), (1, 2), (1, 17), (3, 1), (3, 2), (3, 17)];
/// The same for files that read images or sounds: those are of one size, and take long.
const FEW_SIZES: [(usize, usize); 2] = [(1, 17), (3, 2)];
/// The lengths of the calls of a decoding: a prompt, single tokens, and two at once.
const STEPS: [usize; 5] = [4, 1, 1, 2, 1];

/// Runs the ONNX file at `path` in the embedded runtimes and compares them with `model`, which
/// was exported with `options`.
///
/// A runtime that cannot load the file or run any of it is listed as skipped.
///
/// # Errors
/// When no runtime could run the file, or Burn could not run the model.
pub fn verify(model: &Model, path: &Path, options: &ExportOptions) -> Result<Report> {
    let interface = Interface::of(model, options)?;
    let backend = fluxo_backends::default_name().unwrap_or("flex");
    let reference = Burn::new(backend, model, backend, Request::default())?;
    let mut runners: Vec<Box<dyn Runner>> = vec![Box::new(reference)];
    let mut skipped = Vec::new();
    let loaded: [(&str, Result<Box<dyn Runner>>); 2] = [
        (
            tract::NAME,
            Tract::load(tract::NAME, path).map(|runner| Box::new(runner) as _),
        ),
        (
            rten::NAME,
            Rten::load(rten::NAME, path).map(|runner| Box::new(runner) as _),
        ),
    ];
    let mut failed = None;
    for (name, loaded) in loaded {
        match loaded {
            Ok(runner) => runners.push(runner),
            Err(error) => {
                skipped.push(Skipped {
                    runner: name.to_string(),
                    reason: error.to_string(),
                });
                failed.get_or_insert(error);
            }
        }
    }
    if let (1, Some(error)) = (runners.len(), failed) {
        return Err(error);
    }
    let cases = cases(&interface, runners[0].as_mut())?;
    let mut report = compare_cases(&mut runners, &cases, None)?;
    report.skipped.extend(skipped);
    Ok(report)
}

/// Inputs of every size, and of a decoding in steps where the file has a cache; `reference`
/// computes the caches.
fn cases(interface: &Interface, reference: &mut dyn Runner) -> Result<Vec<(String, Tensors)>> {
    let config = interface.config();
    let longest = samples::longest(config);
    let mut cases = Vec::new();
    let reads_text = |stack: &StackConfig| stack.tokens().is_some();
    let sizes = match config.stacks().all(|(_, stack)| reads_text(stack)) {
        true => &SIZES[..],
        false => &FEW_SIZES,
    };
    for &(batch, seq) in sizes {
        let seq = seq.min(longest);
        cases.push((
            format!("at batch {batch}, sequence {seq}"),
            samples::inputs(config, batch, seq),
        ));
    }
    if !interface.cached() {
        return Ok(cases);
    }
    let (batch, mut past, mut before) = (2, 0, Tensors::new());
    for (step, seq) in STEPS.into_iter().enumerate() {
        if past + seq > longest {
            break;
        }
        let mut now = samples::inputs(config, batch, seq);
        if past > 0 {
            // The padding of the prompt stays hidden, what comes after it is seen.
            let mask = &before["attention_mask"]; // [batch, past]
            now.insert("attention_mask".into(), extended(mask, batch, past, seq)?);
            let outputs = reference.run(&before)?;
            for (name, cache) in outputs {
                if let Some(name) = name.strip_prefix("present.") {
                    now.insert(format!("past_key_values.{name}"), cache);
                }
            }
        }
        cases.push((
            format!("at step {step}, past {past}, sequence {seq}"),
            now.clone(),
        ));
        (past, before) = (past + seq, now);
    }
    Ok(cases)
}

/// `mask` of `[batch, past]` and `seq` ones behind each row.
fn extended(mask: &TensorData, batch: usize, past: usize, seq: usize) -> Result<TensorData> {
    let values = crate::inputs::integers("attention_mask", mask)?;
    let rows = values.chunks(past).map(|row| [row, &vec![1; seq]].concat());
    let values: Vec<i64> = rows.flatten().collect();
    Ok(TensorData::new(values, [batch, past + seq]))
}
