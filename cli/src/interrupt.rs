//! Ctrl-C, which ends the process and leaves nothing half done behind.

use anyhow::Result;
use fluxo_support::temporary::discard_and_exit;

/// The exit code of what was interrupted, as shells have it: 128 and the signal's number.
const INTERRUPTED: i32 = 130;

/// On Ctrl-C (or SIGTERM) temporary files and folders go, and the process ends.
///
/// # Errors
/// When the process has a handler already.
pub fn leave_nothing() -> Result<()> {
    Ok(ctrlc::set_handler(|| {
        eprintln!("interrupted");
        discard_and_exit(INTERRUPTED)
    })?)
}
