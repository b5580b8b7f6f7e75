//! A folder that repeats a finding somewhere else.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use fluxo_models::{Tensors, tensors};
use fluxo_support::temporary::{Folder, undisturbed};
use serde_json::{Value, json};

use crate::digest;
use crate::error::io as told;
use crate::error::{Error, Result, zoo};
use fluxo_verify::report::Report;

/// Models up to this many bytes are copied; of larger ones the folder has the hashes.
pub const COPIED: u64 = 64 << 20;
/// What was given, and what was expected.
pub const INPUTS: &str = "inputs.safetensors";

/// What goes into the folder.
pub struct Bundle<'a> {
    /// The models, in the order in which they were given.
    pub models: &'a [PathBuf],
    /// The command that was called.
    pub command: &'a [String],
    /// The arguments that repeat it, but for the models and the inputs: `--on`, `flex,tract`.
    pub arguments: &'a [String],
    /// The inputs, expected outputs among them.
    pub inputs: &'a Tensors,
    /// What each runner gave, by its name.
    pub outputs: &'a BTreeMap<String, Tensors>,
    /// What was found.
    pub report: &'a Report,
}

/// Whether [`write()`] may make the folder `dir`.
///
/// # Errors
/// When `dir` exists and is no empty folder, or what it is to lie in is no folder.
pub fn free(dir: &Path) -> Result<()> {
    let refuse = |path: &Path, reason: &str| {
        Err(Error::Model {
            path: path.to_path_buf(),
            reason: reason.to_string(),
        })
    };
    let taken = fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some());
    if taken || (dir.exists() && !dir.is_dir()) {
        return refuse(dir, "is there already; name a folder that is not");
    }
    match dir.ancestors().skip(1).find(|above| above.exists()) {
        Some(above) if !above.is_dir() => refuse(above, "is no folder; name another place"),
        _ => Ok(()),
    }
}

/// Writes the folder `dir`: the models where they are small, the inputs, every runner's outputs,
/// `report.json`, `about.json` (versions, features, hardware, hashes) and a README with the
/// command that repeats it. It is made beside and appears whole.
///
/// # Errors
/// When `dir` exists and is not empty, or something cannot be read or written.
pub fn write(dir: &Path, bundle: &Bundle<'_>) -> Result<()> {
    free(dir)?;
    let home = dir.parent().filter(|home| !home.as_os_str().is_empty());
    let home = home.unwrap_or(Path::new("."));
    fs::create_dir_all(home).map_err(|e| told(home, e))?;
    let draft = Folder::inside(home, ".fluxo-bundle-");
    let draft = draft.map_err(|e| told(home, e))?;
    let (at, mut kept, mut models) = (draft.path(), Vec::new(), Vec::new());
    for (number, model) in bundle.models.iter().enumerate() {
        let (path, about) = take(model, at, number)?;
        kept.push(path);
        models.push(about);
    }
    tensors::write(&at.join(INPUTS), bundle.inputs).map_err(zoo)?;
    let outputs = at.join("outputs");
    fs::create_dir(&outputs).map_err(|e| told(&outputs, e))?;
    for (runner, given) in bundle.outputs {
        tensors::write(
            &outputs.join(format!("{}.safetensors", plain(runner))),
            given,
        )
        .map_err(zoo)?;
    }
    let words = ["fluxo", "compare"].map(String::from).into_iter();
    let words = words.chain(kept).chain(bundle.arguments.iter().cloned());
    let repeat: Vec<String> = words
        .chain(["--inputs", INPUTS].map(String::from))
        .collect();
    let about = json!({
        "command": bundle.command,
        "repeat": repeat,
        "models": models,
        "versions": {"fluxo": env!("CARGO_PKG_VERSION"), "burn": fluxo_onnx::BURN},
        "backends": fluxo_backends::statuses().iter().filter(|s| s.compiled).map(|s| s.name).collect::<Vec<_>>(),
        "runtimes": crate::open::runtimes(),
        "hardware": hardware(),
    });
    let document = |name: &str, value: &Value| save(&at.join(name), &format!("{value:#}\n"));
    document("about.json", &about)?;
    let report = serde_json::to_value(bundle.report).map_err(|e| told(at, e.into()))?;
    document("report.json", &report)?;
    save(&at.join("README.md"), &readme(bundle, &repeat, &about))?;
    // An empty folder may stand there; a full one is refused by the system too.
    undisturbed(|| {
        if dir.is_dir() {
            fs::remove_dir(dir).map_err(|e| told(dir, e))?;
        }
        fs::rename(at, dir).map_err(|e| told(dir, e))
    })
}

fn save(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).map_err(|e| told(path, e))
}

/// Copies `model` into `draft` where it is small. Its path for the command, and what it is.
fn take(model: &Path, draft: &Path, number: usize) -> Result<(String, Value)> {
    let whole = model.canonicalize().map_err(|e| told(model, e))?;
    let name = whole
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    let name = name.unwrap_or_else(|| "model".to_string());
    let (home, files) = match whole.is_dir() {
        true => (whole.clone(), files(&whole)?),
        // Weights in a file beside begin with the file's name.
        false => {
            let home = whole.parent().unwrap_or(&whole).to_path_buf();
            let mut own = files(&home)?;
            own.retain(|(file, _)| file.to_string_lossy().starts_with(name.as_str()));
            (home, own)
        }
    };
    let bytes: u64 = files.iter().map(|(_, bytes)| bytes).sum();
    let mut hashes = BTreeMap::new();
    for (file, _) in &files {
        let path = home.join(file);
        hashes.insert(
            file.display().to_string(),
            digest::of_file(&path).map_err(|e| told(&path, e))?,
        );
    }
    let copied = bytes <= COPIED;
    let folder = format!("models/{number}-{name}");
    if copied {
        for (file, _) in &files {
            let to = draft.join(&folder).join(file);
            let parent = to.parent().unwrap_or(draft);
            fs::create_dir_all(parent).map_err(|e| told(parent, e))?;
            fs::copy(home.join(file), &to).map_err(|e| told(&to, e))?;
        }
    }
    let path = match (copied, whole.is_dir()) {
        (false, _) => whole.display().to_string(),
        (true, true) => folder,
        (true, false) => format!("{folder}/{name}"),
    };
    let about = json!({"path": whole, "copied": copied, "bytes": bytes, "sha256": hashes});
    Ok((path, about))
}

/// The files under `folder` by their paths in it, with their sizes.
fn files(folder: &Path) -> Result<Vec<(PathBuf, u64)>> {
    let (mut found, mut open) = (Vec::new(), vec![PathBuf::new()]);
    while let Some(part) = open.pop() {
        let at = folder.join(&part);
        for entry in fs::read_dir(&at).map_err(|e| told(&at, e))? {
            let entry = entry.map_err(|e| told(&at, e))?;
            let path = part.join(entry.file_name());
            let kind = fs::metadata(entry.path()).map_err(|e| told(&entry.path(), e))?;
            match kind.is_dir() {
                // A link may lead back up.
                true if entry.path().is_symlink() => {}
                true => open.push(path),
                false => found.push((path, kind.len())),
            }
        }
    }
    found.sort();
    Ok(found)
}

/// A runner's name as a file's.
fn plain(name: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || "-_.#".contains(c);
    name.chars()
        .map(|c| if safe(c) { c } else { '_' })
        .collect()
}

/// What the machine is, as far as the system says it.
fn hardware() -> Value {
    let line = |file: &str, key: &str| {
        let text = fs::read_to_string(file).ok()?;
        let line = text.lines().find(|line| line.starts_with(key))?;
        Some(line.split_once(':')?.1.trim().to_string())
    };
    json!({
        "os": std::env::consts::OS,
        "architecture": std::env::consts::ARCH,
        "cpu": line("/proc/cpuinfo", "model name"),
        "cores": std::thread::available_parallelism().map(usize::from).ok(),
        "memory": line("/proc/meminfo", "MemTotal"),
    })
}

/// `word` as a shell reads it.
fn quoted(word: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || "-_./,:=+#".contains(c);
    if !word.is_empty() && word.chars().all(bare) {
        word.to_string()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

fn readme(bundle: &Bundle<'_>, repeat: &[String], about: &Value) -> String {
    let line = |words: &[String]| {
        words
            .iter()
            .map(|word| quoted(word))
            .collect::<Vec<_>>()
            .join(" ")
    };
    let models = about["models"].as_array().into_iter().flatten();
    let absent: Vec<String> = models
        .filter(|model| model["copied"] == false)
        .map(|model| {
            format!(
                "{} is not in this folder; `about.json` has its SHA-256.\n",
                model["path"]
            )
        })
        .collect();
    format!(
        "# A finding of `fluxo compare`\n\nIn this folder\n\n    {}\n\nrepeats it. {}\n`inputs.safetensors` is what every runner was given, `outputs/` what each returned,\n`report.json` what was found, `about.json` the versions, features and hardware.\n\n    {}\n\nwas called, and found:\n\n```\n{}\n```\n",
        line(repeat),
        absent.concat(),
        line(bundle.command),
        bundle.report
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::testing::fixture;

    #[test]
    fn it_appears_whole_and_only_once() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("found");
        let inputs = tensors::read(&fixture("cached.safetensors")).unwrap();
        let models = [fixture("cached.onnx")];
        let names = ["tract".to_string(), "rten".to_string()];
        let mut opened = crate::open::open(&models, &names, Default::default()).unwrap();
        let report = crate::compare(&mut opened.runners, &inputs, None).unwrap();
        let outputs = BTreeMap::from([("mine:tract".to_string(), Tensors::new())]);
        let bundle = Bundle {
            models: &models,
            command: &["fluxo".into(), "compare".into(), "a b".into()],
            arguments: &["--on".into(), "tract,rten".into()],
            inputs: &inputs,
            outputs: &outputs,
            report: &report,
        };
        write(&dir, &bundle).unwrap();
        let about: Value =
            serde_json::from_slice(&fs::read(dir.join("about.json")).unwrap()).unwrap();
        let hashes = about["models"][0]["sha256"].as_object().unwrap();
        assert_eq!(hashes.len(), 1, "{hashes:?}");
        assert_eq!(hashes["cached.onnx"].as_str().unwrap().len(), 64);
        assert!(dir.join("models/0-cached.onnx/cached.onnx").is_file());
        assert!(dir.join("outputs/mine_tract.safetensors").is_file());
        let readme = fs::read_to_string(dir.join("README.md")).unwrap();
        let repeat = "fluxo compare models/0-cached.onnx/cached.onnx --on tract,rten --inputs inputs.safetensors";
        assert!(
            readme.contains(repeat) && readme.contains("compare 'a b'"),
            "{readme}"
        );
        let error = write(&dir, &bundle).unwrap_err().to_string();
        assert!(error.contains("is there already"), "{error}");
        // Nothing is left beside it.
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
    }

    #[test]
    fn hashes_are_sha_256() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "abc").unwrap();
        // FIPS 180-2, appendix B.1.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(digest::of_file(file.path()).unwrap(), abc);
    }
}
