//! What the last line says, and the exit code.
//!
//! Something that differs, and a runner that was named and failed, is what was checked and did not
//! hold. What could not be tried at all could not be done as asked.

use anyhow::{Error, Result, bail};
use fluxo_compare::report::Skipped;
use fluxo_compare::{Conclusion, Outcome, Report, Unable};

use crate::Held;
use crate::args::Compare;
use crate::print::Print;

/// What becomes of a comparison whose runners could not be had.
///
/// # Errors
/// The error, but of a runtime that was named, is here and does not load the file.
pub fn unopened(error: Error, print: Print) -> Result<Held> {
    let Some(fluxo_compare::Error::Runner { runner, .. }) = error.downcast_ref() else {
        return Err(error);
    };
    let failed = Skipped {
        runner: runner.clone(),
        reason: error.to_string(),
    };
    let unable = named(&failed);
    let mut report = Report::unrun(Vec::new(), vec![failed]);
    let conclusion = report.conclude(&[unable]);
    print.result(&report, &report)?;
    held(&conclusion)
}

/// The report, or where there is none, one that says so, of the runners `names`.
pub fn compared(compared: Result<Report>, names: Vec<String>) -> (Report, Vec<Unable>) {
    let error = match compared {
        Ok(report) => return (report, Vec::new()),
        Err(error) => error,
    };
    match error.downcast::<fluxo_compare::Error>() {
        Ok(fluxo_compare::Error::Unable { ran, failed }) => {
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
        Ok(error) => (
            Report::unrun(names, Vec::new()),
            vec![without(&error.into())],
        ),
        Err(error) => (Report::unrun(names, Vec::new()), vec![without(&error)]),
    }
}

/// What was asked for beside the comparison and failed.
pub fn without(error: &Error) -> Unable {
    Unable {
        who: String::new(),
        reason: error.to_string(),
        named: false,
    }
}

/// The runners that were named and failed, in the comparison or in the texts that they were to
/// write.
pub fn failed(args: &Compare, report: &Report) -> Vec<Unable> {
    if args.on.is_empty() {
        return Vec::new();
    }
    let wrote = report.greedy.iter().filter_map(|continued| {
        let reason = format!("it writes nothing: {}", continued.note.as_ref()?);
        Some(Skipped {
            runner: continued.runner.clone(),
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

/// The exit code.
///
/// # Errors
/// What could not be done as asked.
pub fn held(conclusion: &Conclusion) -> Result<Held> {
    match conclusion.outcome {
        Outcome::Agree => Ok(Held::Yes),
        Outcome::Differ => Ok(Held::No),
        Outcome::CouldNotRun if conclusion.failed => Ok(Held::No),
        Outcome::CouldNotRun => bail!("{conclusion}"),
    }
}
