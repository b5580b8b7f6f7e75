//! What goes to stdout: text or, with `--json`, one document and nothing else.

use std::fmt::Display;
use std::io::{self, Write};

use anyhow::Result;
use serde::Serialize;

/// How a command speaks.
#[derive(Debug, Clone, Copy)]
pub struct Print {
    /// One JSON document instead of text.
    pub json: bool,
    /// Nothing but results: no progress, no hints.
    pub quiet: bool,
}

impl Print {
    /// The command's result: `document` with `--json`, `text` otherwise.
    pub fn result(self, document: &impl Serialize, text: impl Display) -> Result<()> {
        if self.json {
            line(serde_json::to_string_pretty(document)?)
        } else {
            line(text)
        }
    }

    /// What happens meanwhile, on stderr where stdout is for JSON.
    pub fn note(self, text: impl Display) -> Result<()> {
        match self {
            Self { quiet: true, .. } => Ok(()),
            Self { json: true, .. } => Ok(writeln!(io::stderr(), "{text}")?),
            _ => line(text),
        }
    }

    /// What a user should know beside the result: on stderr, whatever stdout is for.
    pub fn aside(self, text: impl Display) -> Result<()> {
        if self.quiet {
            Ok(())
        } else {
            Ok(writeln!(io::stderr(), "{text}")?)
        }
    }

    /// Part of a line, at once.
    pub fn stream(self, text: &str) -> Result<()> {
        if !self.json {
            let mut out = io::stdout().lock();
            write!(out, "{text}")?;
            out.flush()?;
        }
        Ok(())
    }
}

fn line(text: impl Display) -> Result<()> {
    Ok(writeln!(io::stdout(), "{text}")?)
}

/// Whether the reader of our output went away, as `| head` does: no error of ours.
pub fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
}
