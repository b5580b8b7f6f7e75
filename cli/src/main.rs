//! Fluxo: train a transformer in Burn, run it everywhere else, and prove that it still computes
//! the same thing.

mod args;
mod commands;
mod demo_text;
mod print;

use std::process::ExitCode;

use clap::Parser;

/// How a command that could be done ended.
enum Held {
    /// Done; what was to be checked holds.
    Yes,
    /// Checked, and it does not hold.
    No,
}

fn main() -> ExitCode {
    let args = args::Args::parse();
    let print_panic = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        // Panics of the libraries underneath become one line below; FLUXO_BACKTRACE shows all.
        if std::env::var_os("FLUXO_BACKTRACE").is_some() {
            print_panic(info);
        }
    }));
    // Exit codes are decided here and nowhere else.
    match std::panic::catch_unwind(|| commands::run(args)) {
        Ok(Ok(Held::Yes)) => ExitCode::SUCCESS,
        Ok(Ok(Held::No)) => ExitCode::from(1),
        Ok(Err(error)) if print::is_closed_pipe(&error) => ExitCode::SUCCESS,
        Ok(Err(error)) => fail(&told(&error)),
        Err(panic) => {
            let text = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("no message");
            fail(&format!(
                "a library gave up ({text}); FLUXO_BACKTRACE=1 shows where, please report it"
            ))
        }
    }
}

/// What went wrong and its causes, each said once: many an error's text has its cause in it.
fn told(error: &anyhow::Error) -> String {
    error
        .chain()
        .map(ToString::to_string)
        .reduce(|told, cause| match told.contains(&cause) {
            true => told,
            false => format!("{told}: {cause}"),
        })
        .unwrap_or_default()
}

/// One line on stderr, exit code 2.
fn fail(message: &str) -> ExitCode {
    let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    eprintln!("error: {line}");
    ExitCode::from(2)
}
