//! Where ONNX Runtime's library lies, and its one environment.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use ort::environment::Environment;
use ort::logging::LogLevel;

use super::guard;
use crate::error::{Error, Result};

/// The runtime's name.
pub const NAME: &str = "ort";

const MEND: &str = "`pip install -U onnxruntime`, or set ORT_DYLIB_PATH to libonnxruntime";
/// Prints the folder of the Python package `onnxruntime`, without importing it.
const ASK_PYTHON: &str = "import importlib.util as u; s = u.find_spec('onnxruntime'); \
     print(s.submodule_search_locations[0] if s else '')";

/// ONNX Runtime's library: `ORT_DYLIB_PATH`, the Python package in the active environment
/// (`VIRTUAL_ENV`, `CONDA_PREFIX`), or the package that `python3` finds.
///
/// # Errors
/// [`Error::Unavailable`] with what was looked for and the mend.
pub fn find() -> Result<PathBuf> {
    find_with(
        |name| std::env::var_os(name).filter(|v| !v.is_empty()),
        ask_python,
    )
}

/// The environment that ONNX Runtime allows one of per process; made on the first call.
///
/// # Errors
/// [`Error::Unavailable`] when the library is missing, cannot be loaded or is too old.
pub fn environment() -> Result<&'static Environment> {
    static ENVIRONMENT: OnceLock<std::result::Result<Environment, String>> = OnceLock::new();
    let made = ENVIRONMENT.get_or_init(|| {
        let path = find().map_err(|e| match e {
            Error::Unavailable { reason, .. } => reason,
            other => other.to_string(),
        })?;
        open(&path).map_err(|e| match e {
            Error::Runner { reason, .. } => format!("{reason}; {MEND}"),
            other => other.to_string(),
        })
    });
    made.as_ref().map_err(|reason| unavailable(reason.clone()))
}

/// Loads the library at `path`. The `ort` crate panics where a library that it did not check
/// is wrong, so it checks first: the file loads, is ONNX Runtime, and is new enough.
fn open(path: &Path) -> Result<Environment> {
    let builder = guard(NAME, || ort::init_from(path))?;
    let environment = guard(NAME, || builder.with_name("fluxo").build())?;
    // It logs to stderr what it returns as an error too.
    environment.set_log_level(LogLevel::Fatal);
    Ok(environment)
}

fn find_with(
    var: impl Fn(&str) -> Option<OsString>,
    python: impl Fn() -> std::result::Result<PathBuf, String>,
) -> Result<PathBuf> {
    if let Some(path) = var("ORT_DYLIB_PATH").map(PathBuf::from) {
        return match path.canonicalize() {
            Ok(path) if path.is_file() => Ok(path),
            _ => Err(unavailable(format!(
                "ORT_DYLIB_PATH names {}, which is not a file; correct it or unset it",
                path.display()
            ))),
        };
    }
    for prefix in ["VIRTUAL_ENV", "CONDA_PREFIX"].into_iter().filter_map(&var) {
        if let Some(library) =
            site_packages(Path::new(&prefix)).find_map(|p| in_package(&p.join("onnxruntime")))
        {
            return Ok(library);
        }
    }
    match python() {
        Ok(package) => in_package(&package).ok_or_else(|| {
            unavailable(format!(
                "the Python package in {} holds no library; {MEND}",
                package.display()
            ))
        }),
        Err(reason) => Err(unavailable(format!(
            "ORT_DYLIB_PATH is not set and {reason}; {MEND}"
        ))),
    }
}

fn unavailable(reason: String) -> Error {
    Error::Unavailable {
        runner: NAME.to_string(),
        reason,
    }
}

/// The `site-packages` folders of a Python environment.
fn site_packages(prefix: &Path) -> impl Iterator<Item = PathBuf> {
    let unix = ["lib", "lib64"]
        .into_iter()
        .flat_map(|lib| entries(&prefix.join(lib)))
        .filter(|path| file_name(path).starts_with("python"))
        .map(|path| path.join("site-packages"));
    let windows = prefix.join("Lib").join("site-packages");
    unix.chain([windows]).collect::<Vec<_>>().into_iter()
}

/// The library inside the Python package `onnxruntime` at `package`.
fn in_package(package: &Path) -> Option<PathBuf> {
    entries(&package.join("capi")).into_iter().find(|path| {
        let name = file_name(path);
        name.starts_with("libonnxruntime.") || name == "onnxruntime.dll"
    })
}

fn ask_python() -> std::result::Result<PathBuf, String> {
    let asked = Command::new("python3").args(["-c", ASK_PYTHON]).output();
    let asked = asked.map_err(|e| format!("python3 cannot be asked for its onnxruntime ({e})"))?;
    match String::from_utf8_lossy(&asked.stdout).trim() {
        "" => {
            Err("no Python package `onnxruntime` was found in the active environment".to_string())
        }
        folder => Ok(PathBuf::from(folder)),
    }
}

/// What `folder` holds, sorted; nothing where it cannot be read.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let read = std::fs::read_dir(folder).into_iter().flatten();
    let mut paths: Vec<_> = read.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn none() -> std::result::Result<PathBuf, String> {
        Err("python3 has none".into())
    }

    fn touch(path: &Path) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, b"").unwrap();
    }

    #[test]
    fn a_missing_library_gives_the_reason_and_the_mend() {
        let error = find_with(|_| None, none).unwrap_err().to_string();
        assert_eq!(
            error,
            "`ort` is not here: ORT_DYLIB_PATH is not set and python3 has none; \
             `pip install -U onnxruntime`, or set ORT_DYLIB_PATH to libonnxruntime"
        );
    }

    #[test]
    fn a_wrong_ort_dylib_path_is_not_replaced_by_another_library() {
        let dir = tempfile::tempdir().unwrap();
        let package = dir.path().join("lib/python3.12/site-packages/onnxruntime");
        touch(&package.join("capi/libonnxruntime.so.1.24.0"));
        let var = |name: &str| match name {
            "ORT_DYLIB_PATH" => Some(OsString::from("/nowhere/libonnxruntime.so")),
            _ => Some(dir.path().into()),
        };
        let error = find_with(var, none).unwrap_err().to_string();
        assert!(
            error.contains("ORT_DYLIB_PATH names /nowhere/libonnxruntime.so"),
            "{error}"
        );
    }

    #[test]
    fn the_active_environment_comes_before_python() {
        let dir = tempfile::tempdir().unwrap();
        let package = dir.path().join("lib/python3.12/site-packages/onnxruntime");
        let library = package.join("capi/libonnxruntime.so.1.24.0");
        touch(&library);
        touch(&package.join("capi/libonnxruntime_providers_shared.so"));
        let var = |name: &str| (name == "CONDA_PREFIX").then(|| dir.path().into());
        assert_eq!(find_with(var, none).unwrap(), library);
        assert_eq!(
            find_with(|_| None, || Ok(package.clone())).unwrap(),
            library
        );
    }
}
