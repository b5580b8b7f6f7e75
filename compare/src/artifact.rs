//! From paths and names to runners.

mod locating;
mod turns;

use std::path::{Path, PathBuf};
use std::rc::Rc;

use burn::tensor::DType;
use fluxo_backends::{BackendKind, BackendName};
use fluxo_models::model::CONFIG;
use fluxo_models::{Model, Request};
use serde::Serialize;

use crate::error::{Error, Result};
use crate::export::{self, ExportOptions};
use crate::graph::Graph;
pub use crate::graph::{GRAPH, RUNTIMES};
use crate::referee::unit;
use crate::report::Skipped;
use crate::runner::{Kind, Runner, burn::Burn, child::Child, ort, ort_library};
use crate::shelf::Shelf;
use crate::signature::Signature;
pub use locating::locate;

/// Files that make a folder a checkpoint, beside its `config.json`.
const WEIGHTS: [&str; 3] = [
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
];

/// Runners, and those that there could be but for a reason.
#[derive(Default)]
pub struct Opened {
    /// Ready to run.
    pub runners: Vec<Box<dyn Runner>>,
    /// Not asked for by name, and not possible here.
    pub skipped: Vec<Skipped>,
    /// The first checkpoint: its float64 run is the referee.
    pub model: Option<Model>,
    /// What the runners give beside the usual: what was asked, and what the ONNX files have.
    pub request: Request,
}

/// Makes runners of `models` (checkpoint folders, exported folders, `.onnx` files) by `names`
/// (`flex`, `wgpu:1`, `flex:f64`, `tract`, …); without names, of everything that this build and machine
/// have.
///
/// A backend takes each checkpoint, a runtime each ONNX file. Where no model has an ONNX file,
/// the checkpoints are exported to temporary ones for the runtimes. With several models a
/// runner is called `label:name`.
///
/// # Errors
/// When a path is no model, or a runner that was named is unknown, not here, or cannot take
/// any of the models.
pub fn open(models: &[PathBuf], names: &[String], request: Request) -> Result<Opened> {
    open_as(models, names, request, How::Held)
}

/// [`open`], of whose runners and models one is in memory at a time: each is loaded when it runs,
/// and again when it runs again. [`Opened::model`] is in memory until it is dropped.
///
/// # Errors
/// As [`open`]; what a runner cannot load it says when it runs.
pub fn open_in_turn(models: &[PathBuf], names: &[String], request: Request) -> Result<Opened> {
    open_as(models, names, request, How::InTurn(&Shelf::default()))
}

/// [`open`], each runner in a process of its own that runs `program`, the `fluxo` binary
/// ([`Child`]): one that crashes or runs out of memory takes no other down.
///
/// # Errors
/// As [`open`]; what a runner cannot load it says when it runs.
pub fn open_isolated(
    models: &[PathBuf],
    names: &[String],
    request: Request,
    program: &Path,
) -> Result<Opened> {
    open_as(models, names, request, How::Isolated(program))
}

/// Where runners are.
enum How<'a> {
    /// In memory.
    Held,
    /// Each in a process of its own, of this program.
    Isolated(&'a Path),
    /// In memory one after the other, the checkpoints on this shelf.
    InTurn(&'a Shelf),
}

fn open_as(models: &[PathBuf], names: &[String], request: Request, how: How<'_>) -> Result<Opened> {
    let mut sources = Source::all(models)?;
    let asked = !names.is_empty();
    let names = if asked { checked(names)? } else { everything() };
    let any_graph = sources.iter().any(|source| source.graph.is_some());
    let any_checkpoint = sources.iter().any(|source| source.checkpoint);
    let several = sources.len() > 1;
    let request = sources.iter().try_fold(request, Source::asked)?;
    let mut opened = Opened {
        request,
        ..Opened::default()
    };
    for name in &names {
        if !is_runtime(name) && !any_checkpoint {
            match sources.first() {
                Some(source) if asked => return Err(source.no_weights(name)),
                _ => continue,
            }
        }
        let takes = |source: &&mut Source| match is_runtime(name) {
            true => source.graph.is_some() || !any_graph,
            false => source.checkpoint,
        };
        for source in sources.iter_mut().filter(takes) {
            if matches!(how, How::Held) && (!is_runtime(name) || source.graph.is_none()) {
                source.load()?;
            }
            let label = if several {
                format!("{}:{name}", source.label)
            } else {
                name.clone()
            };
            let runner = match how {
                How::Held => source.runner(name, &label, request),
                How::Isolated(program) => Ok(source.child(name, &label, request, program)),
                How::InTurn(shelf) => source.turn(name, &label, request, shelf),
            };
            match runner {
                Ok(runner) => opened.runners.push(runner),
                Err(error) if asked => return Err(error),
                Err(error) => {
                    let reason = error.to_string();
                    opened.skipped.push(Skipped {
                        runner: label,
                        reason,
                    });
                }
            }
        }
    }
    if let Some(source) = sources.iter_mut().find(|source| source.checkpoint) {
        opened.model = match how {
            How::InTurn(shelf) => Some(source.judging(shelf)?),
            _ => {
                source.load()?;
                source.model.take()
            }
        };
    }
    Ok(opened)
}

/// The ONNX file at `path`: the file itself, or the one or two in an exported folder. `None` for
/// a checkpoint, also where an export lies in it.
///
/// # Errors
/// When `path` is no model.
pub fn graph_of(path: &Path) -> Result<Option<Graph>> {
    let source = Source::at(path)?;
    Ok(source.graph.filter(|_| !source.checkpoint))
}

/// One runtime on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuntimeStatus {
    /// Its name.
    pub name: &'static str,
    /// Whether it can run here.
    pub usable: bool,
    /// What was found, or why it cannot.
    pub about: String,
}

/// Every runtime, and what was found of it.
pub fn runtimes() -> Vec<RuntimeStatus> {
    let status = |name| {
        let (usable, about) = match name {
            ort::NAME => match ort_library::environment().and_then(|_| ort_library::find()) {
                Ok(path) => (true, path.display().to_string()),
                Err(Error::Unavailable { reason, .. }) => (false, reason),
                Err(error) => (false, error.to_string()),
            },
            _ => (true, "built in".to_string()),
        };
        RuntimeStatus {
            name,
            usable,
            about,
        }
    };
    RUNTIMES.map(status).to_vec()
}

/// One path that was given, and what was made of it so far.
struct Source {
    label: String,
    path: PathBuf,
    checkpoint: bool,
    graph: Option<Graph>,
    model: Option<Model>,
    exported: Option<(Graph, Rc<tempfile::TempDir>)>,
}

impl Source {
    fn all(paths: &[PathBuf]) -> Result<Vec<Self>> {
        let mut sources: Vec<Self> = Vec::new();
        for path in paths {
            let mut source = Self::at(path)?;
            // `mine`, `mine#2`, `mine#3`.
            let plain = source.label.clone();
            let taken = |label: &String| sources.iter().any(|other| other.label == *label);
            let mut labels = (2..).map(|n| format!("{plain}#{n}"));
            if taken(&plain)
                && let Some(free) = labels.find(|label| !taken(label))
            {
                source.label = free;
            }
            sources.push(source);
        }
        Ok(sources)
    }

    fn at(path: &Path) -> Result<Self> {
        let refuse = |reason: &str| {
            Err(Error::Model {
                path: path.to_path_buf(),
                reason: reason.to_string(),
            })
        };
        let source = |checkpoint, graph| Self {
            label: label(path),
            path: path.to_path_buf(),
            checkpoint,
            graph,
            model: None,
            exported: None,
        };
        if path.is_dir() {
            let graph = Graph::in_folder(path);
            let weights = WEIGHTS.iter().any(|name| path.join(name).is_file());
            // A folder with a configuration alone is a broken checkpoint: loading says how.
            let checkpoint = path.join(CONFIG).is_file() && (weights || graph.is_none());
            if !checkpoint && graph.is_none() {
                return refuse(
                    "holds neither a checkpoint (config.json and model.safetensors) nor onnx/model.onnx",
                );
            }
            return Ok(source(checkpoint, graph));
        }
        if !path.exists() {
            return refuse("no such file or folder");
        }
        if path.extension().is_none_or(|extension| extension != "onnx") {
            return refuse("neither a folder nor an .onnx file");
        }
        Ok(source(false, Some(Graph::Whole(path.to_path_buf()))))
    }

    /// `request`, and what the ONNX files give: a backend must give it too.
    fn asked(request: Request, source: &Self) -> Result<Request> {
        let mut request = request;
        for file in source.graph.iter().flat_map(Graph::files) {
            for port in Signature::read(file)?.outputs {
                request.hidden_states |= port.name.contains("hidden_states.");
                request.taps |= port.name.contains("layers.");
            }
        }
        Ok(request)
    }

    /// Loads the checkpoint, once.
    fn load(&mut self) -> Result<()> {
        if self.model.is_none() {
            let device = fluxo_backends::device(fluxo_backends::default_name().unwrap_or("flex"))?;
            self.model = Some(Model::load(&self.path, None, &device)?.0);
        }
        Ok(())
    }

    fn runner(&mut self, name: &str, label: &str, request: Request) -> Result<Box<dyn Runner>> {
        if !is_runtime(name) {
            let model = self.model.as_ref().ok_or_else(|| self.no_weights(name))?;
            let (backend, dtype) = precision(name);
            return Ok(Box::new(match dtype {
                Some(dtype) => Burn::in_precision(label, model, backend, request, dtype)?,
                None => Burn::new(label, model, backend, request)?,
            }));
        }
        self.graph()?.load(name, label)
    }

    fn child(&self, name: &str, label: &str, request: Request, program: &Path) -> Box<dyn Runner> {
        let (backend, dtype) = precision(name);
        let kind = match is_runtime(name) {
            true => Kind::Graph,
            false => Kind::Backend {
                gpu: fluxo_backends::is_gpu(backend),
            },
        };
        Box::new(Child {
            name: label.to_string(),
            program: program.to_path_buf(),
            model: self.path.clone(),
            on: name.to_string(),
            request,
            kind,
            unit: dtype.map(unit),
            cost: None,
        })
    }

    /// The ONNX files, exported once where there are none.
    fn graph(&mut self) -> Result<Graph> {
        let exported = self.exported.as_ref().map(|(graph, _)| graph);
        if let Some(graph) = self.graph.as_ref().or(exported) {
            return Ok(graph.clone());
        }
        let model = self.model.as_ref().ok_or_else(|| self.no_weights("onnx"))?;
        let folder = tempfile::tempdir().map_err(|source| Error::Io {
            path: std::env::temp_dir(),
            source,
        })?;
        export::write(model, folder.path(), &ExportOptions::default())?;
        let graph = Graph::in_folder(folder.path()).ok_or_else(|| self.no_weights("onnx"))?;
        self.exported = Some((graph.clone(), Rc::new(folder)));
        Ok(graph)
    }

    fn no_weights(&self, name: &str) -> Error {
        Error::Model {
            path: self.path.clone(),
            reason: format!(
                "`{name}` runs checkpoints, and there are no weights here; name a runtime ({}) or give the checkpoint too",
                RUNTIMES.join(", ")
            ),
        }
    }
}

/// What a path is called in reports: its last name that says something.
fn label(path: &Path) -> String {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let mut names = path.iter().rev().map(|name| {
        let name = name.to_string_lossy();
        name.strip_suffix(".onnx").unwrap_or(&name).to_string()
    });
    let said = names.find(|name| name != "model" && name != "onnx");
    said.unwrap_or_else(|| "model".to_string())
}

fn is_runtime(name: &str) -> bool {
    RUNTIMES.contains(&name)
}

/// `wgpu:1:f16` as `wgpu:1` and the element type behind it.
pub(crate) fn precision(name: &str) -> (&str, Option<DType>) {
    let dtype = |name| match name {
        "f64" => Some(DType::F64),
        "f32" => Some(DType::F32),
        "f16" => Some(DType::F16),
        "bf16" => Some(DType::BF16),
        _ => None,
    };
    match name.rsplit_once(':') {
        Some((backend, last)) if dtype(last).is_some() => (backend, dtype(last)),
        _ => (name, None),
    }
}

/// `names`, each known and there once.
fn checked(names: &[String]) -> Result<Vec<String>> {
    for (i, name) in names.iter().enumerate() {
        if names[..i].contains(name) {
            return Err(Error::NamedTwice(name.clone()));
        }
        if !is_runtime(name) && precision(name).0.parse::<BackendName>().is_err() {
            let known = BackendKind::ALL
                .into_iter()
                .map(BackendKind::name)
                .chain(RUNTIMES);
            return Err(Error::UnknownRunner {
                name: name.clone(),
                known: known.collect::<Vec<_>>().join(", "),
            });
        }
    }
    Ok(names.to_vec())
}

/// Every backend that works here, and every runtime.
fn everything() -> Vec<String> {
    let backends = fluxo_backends::statuses()
        .into_iter()
        .filter(|status| status.usable);
    backends
        .map(|status| status.name)
        .chain(RUNTIMES)
        .map(str::to_string)
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::testing::fixture;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| name.to_string()).collect()
    }

    fn error(models: &[PathBuf], on: &[&str]) -> String {
        match open(models, &names(on), Request::default()) {
            Ok(_) => panic!("opened"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn an_onnx_file_runs_in_the_runtimes() {
        let opened = open(
            &[fixture("cached.onnx")],
            &names(&["tract", "rten"]),
            Request::default(),
        )
        .unwrap();
        let names: Vec<_> = opened.runners.iter().map(|runner| runner.name()).collect();
        assert_eq!(names, ["tract", "rten"]);
    }

    #[test]
    fn several_models_have_labels() {
        let dir = tempfile::tempdir().unwrap();
        let exported = dir.path().join("mine");
        std::fs::create_dir_all(exported.join("onnx")).unwrap();
        std::fs::copy(fixture("cached.onnx"), exported.join(GRAPH)).unwrap();
        let models = [fixture("cached.onnx"), exported.join(GRAPH), exported];
        let opened = open(&models, &names(&["tract"]), Request::default()).unwrap();
        let names: Vec<_> = opened.runners.iter().map(|runner| runner.name()).collect();
        assert_eq!(names, ["cached:tract", "mine:tract", "mine#2:tract"]);
    }

    #[test]
    fn the_graph_of_an_exported_folder_is_found() {
        let file = fixture("cached.onnx");
        let whole = |file| Some(Graph::Whole(file));
        assert_eq!(graph_of(&file).unwrap(), whole(file.clone()));
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("onnx")).unwrap();
        std::fs::copy(&file, dir.path().join(GRAPH)).unwrap();
        assert_eq!(graph_of(dir.path()).unwrap(), whole(dir.path().join(GRAPH)));
        // With weights it is a checkpoint first.
        std::fs::write(dir.path().join(CONFIG), "{}").unwrap();
        std::fs::write(dir.path().join("model.safetensors"), "").unwrap();
        assert_eq!(graph_of(dir.path()).unwrap(), None);
    }

    #[test]
    fn what_cannot_be_done_is_said() {
        let file = [fixture("cached.onnx")];
        assert!(
            error(&file, &["tract", "tracr"]).starts_with("unknown runner `tracr`; there are: ")
        );
        assert!(error(&file, &["tract", "tract"]).contains("named twice"));
        assert!(error(&file, &["ndarray"]).contains("there are no weights here"));
        let dir = tempfile::tempdir().unwrap();
        assert!(error(&[dir.path().into()], &["tract"]).contains("holds neither a checkpoint"));
        assert!(error(&[dir.path().join("no")], &["tract"]).contains("no such file or folder"));
        let text = dir.path().join("a.txt");
        std::fs::write(&text, "").unwrap();
        assert!(error(&[text], &["tract"]).contains("neither a folder nor an .onnx file"));
        let broken = dir.path().join("a.onnx");
        std::fs::write(&broken, "not a graph").unwrap();
        assert!(error(&[broken], &["tract"]).contains("not an ONNX file"));
    }
}
