//! What the tests across crates share: where the fixtures are, and checks that may be skipped.

mod agree;

use std::path::PathBuf;

use libtest_mimic::{Failed, Trial};

pub use agree::largest_difference;

/// Set to 1 in CI, where everything is installed: a skip is then a failure.
pub const REQUIRE_ALL: &str = "FLUXO_REQUIRE_ALL";

/// A file or folder under `tests/fixtures`.
pub fn fixture(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures")
        .join(path)
}

/// A test that needs `needs`, which may be absent for a reason. Absent, it counts as ignored and
/// shows the reason; under [`REQUIRE_ALL`] it fails with it.
pub fn trial(
    name: impl Into<String>,
    needs: Result<(), String>,
    check: impl FnOnce() -> Result<(), String> + Send + 'static,
) -> Trial {
    let name = name.into();
    match needs {
        Ok(()) => Trial::test(name, || check().map_err(Failed::from)),
        Err(reason) if std::env::var(REQUIRE_ALL).is_ok_and(|value| value == "1") => {
            Trial::test(name, move || Err(format!("absent: {reason}").into()))
        }
        Err(reason) => {
            let reason: String = reason.chars().take(90).collect();
            Trial::test(format!("{name} [absent: {reason}]"), || Ok(())).with_ignored_flag(true)
        }
    }
}

/// The Python that has the ONNX checker: `FLUXO_PYTHON`, or `python3`.
pub fn python() -> String {
    std::env::var("FLUXO_PYTHON").unwrap_or_else(|_| "python3".into())
}

/// Whether Python can import `module`.
///
/// # Errors
/// Says what to install.
pub fn python_has(module: &str) -> Result<(), String> {
    let found = std::process::Command::new(python())
        .args(["-c", &format!("import {module}")])
        .output();
    match found {
        Ok(output) if output.status.success() => Ok(()),
        Ok(_) => Err(format!(
            "no Python package `{module}`; pip install {module}"
        )),
        Err(e) => Err(format!("no {} ({e})", python())),
    }
}

/// The folder of the installed Python package `name`.
///
/// # Errors
/// Says what to install.
pub fn package(name: &str) -> Result<PathBuf, String> {
    let find = format!(
        "import importlib.util as u; print(u.find_spec('{name}').submodule_search_locations[0])"
    );
    let output = std::process::Command::new(python())
        .args(["-c", &find])
        .output();
    match output {
        Ok(output) if output.status.success() => Ok(PathBuf::from(
            String::from_utf8_lossy(&output.stdout).trim(),
        )),
        _ => Err(format!(
            "no Python package `{name}`; pip install --no-deps {}",
            name.replace('_', "-")
        )),
    }
}

/// The reference checkpoints in `fixtures/{root}`, by folder.
pub fn checkpoints(root: &str) -> Vec<PathBuf> {
    let folder = std::fs::read_dir(fixture(root)).into_iter().flatten();
    let mut found: Vec<_> = folder
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.join("reference.safetensors").is_file())
        .collect();
    found.sort();
    found
}
