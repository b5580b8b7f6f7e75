//! What `fluxo compare` refuses before hours of work, and not after them.

use std::path::{Path, absolute};

use anyhow::{Result, bail};
use fluxo_compare::bundle;

use crate::args::Compare;

/// # Errors
/// When what was found could not be written to where it is wanted.
pub fn check(args: &Compare) -> Result<()> {
    if let (Some(page), Some(dir)) = (&args.html, &args.bundle) {
        let (one, other) = (absolute(page)?, absolute(dir)?);
        if one.starts_with(&other) || other.starts_with(&one) {
            bail!(
                "{} and {}: the page and the bundle cannot lie in each other",
                page.display(),
                dir.display()
            );
        }
    }
    if let Some(page) = &args.html {
        writable(page)?;
    }
    if let Some(dir) = &args.bundle {
        bundle::free(dir)?;
    }
    Ok(())
}

/// Refuses a page whose folder is not there, and places that hold something else.
fn writable(page: &Path) -> Result<()> {
    let folder = page.parent().unwrap_or(page);
    if !folder.as_os_str().is_empty() && !folder.is_dir() {
        bail!(
            "{}: there is no such folder; make it first",
            folder.display()
        );
    }
    if page.exists() && !page.is_file() {
        bail!("{}: this is no file; name one", page.display());
    }
    Ok(())
}
