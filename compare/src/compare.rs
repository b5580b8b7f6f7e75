//! Every runner on the same inputs, every pair on every output, where the attention masks keep a
//! position.

use fluxo_models::Tensors;
use fluxo_verify::diff::AllClose;
use fluxo_verify::reference::Reference;
use fluxo_verify::{Case, Judging, Report};

use crate::error::Result;
use crate::inputs::mask::Mask;
use crate::runner::Runner;

/// The mask that is among a transformer's inputs.
fn mask(inputs: &Tensors) -> Result<Box<dyn fluxo_verify::Mask>> {
    Ok(Box::new(Mask::of(inputs)?))
}

/// Runs every runner on `inputs` and compares each pair.
///
/// `inputs` are named as the model's inputs, with or without `in.`; tensors `out.*` are expected
/// outputs and become one more runner, `file`. `tolerance` overrides the built-in ones
/// ([`Tolerance::between`](fluxo_verify::diff::tolerance::Tolerance::between)). A runner that fails
/// is listed as skipped, as long as two are left.
///
/// # Errors
/// When the inputs do not fit the model, or fewer than two runners gave anything.
pub fn compare(
    runners: &mut [Box<dyn Runner>],
    inputs: &Tensors,
    tolerance: Option<f64>,
) -> Result<Report> {
    let judging = Judging {
        tolerance,
        mask: Some(mask),
        ..Judging::default()
    };
    fluxo_verify::compare_inputs(runners, inputs, &judging)
}

/// [`compare()`] on several inputs: of each output of each pair the worst case stays, and its
/// `case` names it.
///
/// # Errors
/// As [`compare()`].
pub fn compare_cases(
    runners: &mut [Box<dyn Runner>],
    cases: &[Case],
    tolerance: Option<f64>,
) -> Result<Report> {
    let judging = Judging {
        tolerance,
        ..Judging::default()
    };
    compare_judged(runners, cases, &judging)
}

/// [`compare_cases()`], judged by all that `judging` says.
///
/// # Errors
/// As [`compare()`].
pub fn compare_judged(
    runners: &mut [Box<dyn Runner>],
    cases: &[Case],
    judging: &Judging<'_>,
) -> Result<Report> {
    let judging = Judging {
        mask: Some(mask),
        ..*judging
    };
    fluxo_verify::compare(runners, cases, &judging)
}

/// [`compare_cases()`] with the referee's `references`, one for each case, as one more runner; what
/// is allowed follows from the noise that it measured.
///
/// # Errors
/// As [`compare()`].
pub fn compare_refereed(
    runners: &mut [Box<dyn Runner>],
    cases: &[Case],
    references: &[Reference],
) -> Result<Report> {
    let judging = Judging {
        references,
        ..Judging::default()
    };
    compare_judged(runners, cases, &judging)
}

/// [`compare_refereed()`], and every two values that differ by more than `close` allows them
/// differ, whatever the referee says; `references` may be none.
///
/// # Errors
/// As [`compare()`].
pub fn compare_close(
    runners: &mut [Box<dyn Runner>],
    cases: &[Case],
    references: &[Reference],
    close: AllClose,
) -> Result<Report> {
    let judging = Judging {
        references,
        close: Some(close),
        ..Judging::default()
    };
    compare_judged(runners, cases, &judging)
}

#[cfg(test)]
mod tests;
