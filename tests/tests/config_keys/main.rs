//! Every key of every family's `config.json` left out, changed and contradicted, against what
//! transformers made of the same file (`fixtures/make_config_keys.py`). Fluxo gives transformers'
//! values, or says by name what it does not do; a key that changes a result is never passed over.
//! `FLUXO_WRITE_DOCS=1` writes the table down as `docs/config-keys.md`.
#![allow(clippy::unwrap_used)]

mod allowed;
mod case;
mod page;

use std::sync::{Arc, Mutex};

use fluxo_tests::trial;
use libtest_mimic::Arguments;

fn main() {
    let arguments = Arguments::from_args();
    let tally = Arc::new(Mutex::new(page::Tally::default()));
    let checkpoints = case::read();
    let names: Vec<_> = checkpoints.iter().map(|c| c.name.clone()).collect();
    let mut trials = Vec::new();
    for checkpoint in checkpoints {
        let tally = Arc::clone(&tally);
        let name = format!("{} every key", checkpoint.name);
        trials.push(trial(name, Ok(()), move || {
            let outcomes = checkpoint.run();
            let mut faults = Vec::new();
            for outcome in &outcomes {
                if let Err(fault) = &outcome.verdict {
                    faults.push(format!("{}: {fault}", outcome.what));
                }
            }
            tally.lock().unwrap().add(&checkpoint, &outcomes);
            if faults.is_empty() {
                Ok(())
            } else {
                Err(format!("{} faults\n{}", faults.len(), faults.join("\n")))
            }
        }));
    }
    trials.push(trial(
        "every folder has its keys tried",
        Ok(()),
        move || {
            let missing: Vec<_> = fluxo_tests::checkpoints("hf")
                .into_iter()
                .map(|folder| folder.file_name().unwrap().to_string_lossy().into_owned())
                .filter(|name| !names.contains(name))
                .collect();
            if missing.is_empty() {
                Ok(())
            } else {
                Err(format!(
                    "run make_config_keys.py for {}",
                    missing.join(", ")
                ))
            }
        },
    ));
    trials.push(trial(
        "the page lists every family and key",
        Ok(()),
        page::is_complete,
    ));
    let whole = arguments.filter.is_none();
    let conclusion = libtest_mimic::run(&arguments, trials);
    // The page that the test asks for may be the only thing that is missing.
    let failed = conclusion.num_failed;
    if std::env::var_os("FLUXO_WRITE_DOCS").is_some() && whole && failed <= 1 {
        tally.lock().unwrap().write();
    }
    conclusion.exit();
}
