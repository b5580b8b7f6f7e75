//! A checkpoint against the outputs that transformers gave for it.

use std::path::Path;

use fluxo_compare::{compare, open};
use fluxo_models::{OutputOptions, tensors};

/// The largest difference over all `out.*` of the file `reference` that `runner` (`flex`,
/// `ort`, …) gives for the model in `folder`: absolute, divided by the output's largest
/// magnitude where that is over 1, at the positions that the mask keeps. Hidden states count
/// where the runner is a backend.
///
/// # Errors
/// When the model does not load or run, an output is missing, or one is over `bound`.
pub fn largest_difference(
    folder: &Path,
    reference: &Path,
    runner: &str,
    bound: f64,
) -> Result<f64, String> {
    let mut inputs = tensors::read(reference).map_err(|e| e.to_string())?;
    inputs.remove("out.greedy"); // tokens, compared as such
    if open::RUNTIMES.contains(&runner) {
        inputs.retain(|name, _| !name.starts_with("out.") || !name.contains("hidden_states."));
    }
    let request = OutputOptions {
        hidden_states: true,
        taps: false,
    };
    let mut opened = open::open(&[folder.to_path_buf()], &[runner.into()], request)
        .map_err(|e| e.to_string())?;
    let wanted = inputs
        .keys()
        .filter(|name| name.starts_with("out."))
        .count();
    let report = compare(&mut opened.runners, &inputs, Some(bound)).map_err(|e| e.to_string())?;
    if report.pairs.len() != wanted || wanted == 0 {
        return Err(format!(
            "{} of {wanted} outputs were compared",
            report.pairs.len()
        ));
    }
    if report.agrees() {
        Ok(report
            .pairs
            .iter()
            .map(|pair| pair.scaled)
            .fold(0.0, f64::max))
    } else {
        Err(report.to_string())
    }
}
