//! Ctrl-C, which asks the run to save and end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fluxo_support::temporary::discard_and_exit;

use crate::error::Result;

/// A flag that the first Ctrl-C (or SIGTERM) sets; a second one ends the process at once with
/// code 130.
///
/// # Errors
/// When the process has a handler already.
pub fn stop_on_ctrl_c() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = stop.clone();
    ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            discard_and_exit(130);
        }
        eprintln!("stopping after this step; once more to end at once");
    })?;
    Ok(stop)
}
