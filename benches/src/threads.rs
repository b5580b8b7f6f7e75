//! Runs with a fixed number of threads.
//!
//! Both sides ask Rayon for its threads, and Rayon reads their number once, when a process
//! starts. So a bench runs itself once more for each number.

use std::env;
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Read by Rayon and by candle.
const THREADS: &str = "RAYON_NUM_THREADS";

/// Calls `bench` in a process of its own for one thread and for each power of two up to the
/// number of processors. `bench` gets the number.
///
/// # Errors
/// Those of `bench`, and when a process cannot be started.
pub fn each(bench: impl FnOnce(usize) -> Result<()>) -> Result<()> {
    if let Ok(threads) = env::var(THREADS) {
        return bench(threads.parse().context(THREADS)?);
    }
    let processors = std::thread::available_parallelism()?.get();
    let mut threads = 1;
    while threads <= processors {
        let status = Command::new(env::current_exe()?)
            .env(THREADS, threads.to_string())
            .status()?;
        ensure!(status.success(), "the run with {threads} threads failed");
        threads *= 2;
    }
    Ok(())
}
