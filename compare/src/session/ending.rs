//! What a comparison comes to where something could not be done.

use fluxo_verify::report::{Report, Skipped, Unable};

use super::compared::Compared;
use crate::error::{Error, Result};

/// What becomes of a comparison whose runners could not be had.
///
/// # Errors
/// The error, but of a runtime that was named, is here and does not load the file.
pub(super) fn unopened(error: Error) -> Result<Compared> {
    let Error::Runner { runner, .. } = &error else {
        return Err(error);
    };
    let failed = Skipped {
        runner: runner.clone(),
        reason: error.to_string(),
    };
    let unable = named(&failed);
    let mut report = Report::unrun(Vec::new(), vec![failed]);
    let conclusion = report.conclude(&[unable]);
    Ok(Compared {
        report,
        conclusion,
        inputs: None,
        outputs: None,
    })
}

/// The report, or where there is none, one that says so, of the runners `names`.
pub(super) fn compared(compared: Result<Report>, names: Vec<String>) -> (Report, Vec<Unable>) {
    match compared {
        Ok(report) => (report, Vec::new()),
        Err(Error::Unable { ran, failed }) => {
            let only = match ran.as_slice() {
                [] => "no runner ran",
                _ => "only one ran",
            };
            let unable = failed.first().map(|first| Unable {
                who: String::new(),
                reason: format!("{only}: {}", first.reason),
                named: false,
            });
            (Report::unrun(ran, failed), unable.into_iter().collect())
        }
        Err(error) => (Report::unrun(names, Vec::new()), vec![without(&error)]),
    }
}

/// What was asked for beside the comparison and failed.
pub(super) fn without(error: &Error) -> Unable {
    Unable {
        who: String::new(),
        reason: error.to_string(),
        named: false,
    }
}

/// The runners that failed, in the comparison or in the texts that they were to write.
pub(super) fn failed(report: &Report) -> Vec<Unable> {
    let wrote = report.greedy.iter().filter_map(|written| {
        let reason = format!("it writes nothing: {}", written.note.as_ref()?);
        Some(Skipped {
            runner: written.runner.clone(),
            reason,
        })
    });
    let skipped = report.skipped.iter().cloned();
    skipped.chain(wrote).map(|failed| named(&failed)).collect()
}

fn named(failed: &Skipped) -> Unable {
    Unable {
        who: failed.runner.clone(),
        reason: failed.reason.clone(),
        named: true,
    }
}
