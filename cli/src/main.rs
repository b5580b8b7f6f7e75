//! Fluxo: train a transformer in Burn, run it everywhere else, and prove that it still computes
//! the same thing.

mod args;
mod commands;
mod demo_text;
mod interrupt;
mod print;
mod progress;

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use fluxo_support::panics::message;

/// How a command that could be done ended.
enum ExitStatus {
    /// Done; what was to be checked holds.
    Success,
    /// Checked, and it does not hold.
    Failure,
}

fn main() -> ExitCode {
    let args = match args::Args::try_parse() {
        Ok(args) => args,
        Err(error) => return unparsed(&error),
    };
    let print_panic = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        // Panics of the libraries underneath become one line below; FLUXO_BACKTRACE shows all.
        if std::env::var_os("FLUXO_BACKTRACE").is_some() {
            print_panic(info);
        }
    }));
    // Exit codes are decided here and nowhere else.
    match std::panic::catch_unwind(|| commands::run(args)) {
        Ok(Ok(ExitStatus::Success)) => ExitCode::SUCCESS,
        Ok(Ok(ExitStatus::Failure)) => ExitCode::from(1),
        Ok(Err(error)) if print::is_closed_pipe(&error) => ExitCode::SUCCESS,
        Ok(Err(error)) => fail(&told(&error)),
        Err(panic) => {
            let text = message(&*panic).unwrap_or("no message");
            fail(&format!(
                "a library gave up ({text}); FLUXO_BACKTRACE=1 shows where, please report it"
            ))
        }
    }
}

/// The help or the version that was asked for; of a mistake one line, clap's tip with it.
fn unparsed(error: &clap::Error) -> ExitCode {
    use ErrorKind::{DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand, DisplayVersion};
    if let DisplayHelp | DisplayVersion | DisplayHelpOnMissingArgumentOrSubcommand = error.kind() {
        let told = error.print();
        return if told.is_err() || !error.use_stderr() {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(2)
        };
    }
    let text = error.render().to_string();
    // What comes behind is the usage, and that there is --help.
    let ends = ["\n\nUsage:", "\n\nFor more information"].map(|end| text.rfind(end));
    let end = ends.into_iter().flatten().min().unwrap_or(text.len());
    let text = &text[..end];
    let parts = text.strip_prefix("error:").unwrap_or(text).split("\n\n");
    fail(&parts.map(str::trim).collect::<Vec<_>>().join("; "))
}

/// What went wrong and its causes, each said once: many an error's text has its cause in it.
fn told(error: &anyhow::Error) -> String {
    error
        .chain()
        .map(ToString::to_string)
        .reduce(|told, cause| {
            if told.contains(&cause) {
                told
            } else {
                format!("{told}: {cause}")
            }
        })
        .unwrap_or_default()
}

/// One line on stderr, exit code 2.
fn fail(message: &str) -> ExitCode {
    let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    eprintln!("error: {line}");
    ExitCode::from(2)
}
