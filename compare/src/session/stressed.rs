//! Hard inputs, and the smallest that still show a difference.

use fluxo_models::{NetworkConfig, Tensors};
use fluxo_verify::Case;
use fluxo_verify::report::{Outcome, Report};

use super::judge::Judge;
use crate::checks::stress::{self, Stress};
use crate::error::{Error, Result};
use crate::files::OnnxModelFiles;
use crate::inputs::samples;

/// Compares hard inputs of `config`, as `files` take them, and `steps`; where some differ, `cases` is
/// left with the smallest that do.
///
/// # Errors
/// When a file cannot be read, or the comparison fails.
pub(super) fn stressed(
    config: &NetworkConfig,
    files: &[OnnxModelFiles],
    seeds: u64,
    judge: &mut Judge,
    cases: &mut Vec<Case>,
    steps: Vec<Case>,
) -> Result<Report> {
    let mut hard = stress::cases(config, judge.model.as_ref(), seeds)?;
    for files in files {
        for (_, inputs) in &mut hard {
            samples::drop_foreign(inputs, files)?;
        }
    }
    hard.extend(steps);
    let (mut hard, left_out) = stress::possible(&mut judge.runners, hard);
    if let (true, Some((label, reason))) = (hard.is_empty(), left_out.first()) {
        let reason = format!("none of the hard inputs could be tried; {label}: {reason}");
        return Err(Error::Other(reason.into()));
    }
    *cases = hard.first().cloned().into_iter().collect();
    let mut report = judge.compare(&hard)?;
    let names = hard.iter().map(|(name, _)| name.clone()).collect();
    let worst = report.worst().and_then(|pair| pair.case.clone());
    let worst = hard
        .iter()
        .position(|(name, _)| Some(name) == worst.as_ref());
    let (name, inputs) = hard.swap_remove(worst.unwrap_or(0));
    let mut found = Stress {
        cases: names,
        left_out,
        shrunk: None,
    };
    let mut small = inputs;
    if report.end().outcome == Outcome::Differ {
        let differs = |inputs: &Tensors| {
            let case = [(name.clone(), inputs.clone())];
            judge.compare(&case).is_ok_and(|report| !report.agrees())
        };
        let (least, shrunk) = stress::shrink(&name, &small, differs);
        (small, found.shrunk) = (least, Some(shrunk));
    }
    *cases = vec![(name, small)];
    // What every runner gives for these is what a page and a bundle show.
    judge.compare(cases)?;
    report.stress = Some(found);
    Ok(report)
}
