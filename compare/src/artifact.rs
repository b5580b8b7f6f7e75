//! From paths and names to runners.

mod lineup;
mod locating;
mod names;
mod source;
mod turns;

use std::path::{Path, PathBuf};

use fluxo_models::model::CONFIG;
use fluxo_models::{Model, Request, Task};

use crate::error::{Error, Result};
use crate::graph::Graph;
pub use crate::graph::{GRAPH, RUNTIMES};
use crate::runner::Runner;
use crate::shelf::Shelf;
use fluxo_verify::report::Skipped;
use lineup::{Entry, Lineup};
pub use locating::locate;
use names::is_runtime;
pub use names::{RuntimeStatus, runtimes};
use source::Source;

/// A model that is given: a path that holds one and, of a checkpoint, what it is loaded for.
#[derive(Debug, Clone)]
pub struct Given {
    /// A checkpoint folder, an exported folder or an `.onnx` file.
    pub path: PathBuf,
    /// The task of the head that a checkpoint is loaded with; its own where it is `None`.
    pub task: Option<Task>,
}

impl From<PathBuf> for Given {
    fn from(path: PathBuf) -> Self {
        Self { path, task: None }
    }
}

/// Runners, and those that there could be but for a reason.
#[derive(Default)]
pub struct Opened {
    /// Ready to run.
    pub runners: Vec<Box<dyn Runner>>,
    /// Not possible here, or failed to load.
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
/// A runtime that does not load a file is [`Opened::skipped`], named or not, as long as another
/// runner is left.
///
/// # Errors
/// When a path is no model, or a runner that was named is unknown, not here, or cannot take
/// any of the models; or none of those that were named loads.
pub fn open<M: Clone + Into<Given>>(
    models: &[M],
    names: &[String],
    request: Request,
) -> Result<Opened> {
    open_as(models, names, request, How::Held)
}

/// [`open`], of whose runners and models one is in memory at a time: each is loaded when it runs,
/// and again when it runs again. [`Opened::model`] is in memory until it is dropped.
///
/// # Errors
/// As [`open`]; what a runner cannot load it says when it runs.
pub fn open_in_turn<M: Clone + Into<Given>>(
    models: &[M],
    names: &[String],
    request: Request,
) -> Result<Opened> {
    open_as(models, names, request, How::InTurn(&Shelf::default()))
}

/// [`open`], each runner in a process of its own that runs `program`, the `fluxo` binary
/// ([`Child`](crate::runner::child::Child)): one that crashes or runs out of memory takes no other down.
///
/// # Errors
/// As [`open`]; what a runner cannot load it says when it runs.
pub fn open_isolated<M: Clone + Into<Given>>(
    models: &[M],
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

fn open_as<M: Clone + Into<Given>>(
    models: &[M],
    names: &[String],
    request: Request,
    how: How<'_>,
) -> Result<Opened> {
    let Lineup {
        mut sources,
        asked,
        entries,
    } = Lineup::new(models, names)?;
    let request = sources.iter().try_fold(request, Source::asked)?;
    let mut opened = Opened {
        request,
        ..Opened::default()
    };
    let mut unloaded = None;
    for Entry {
        source,
        name,
        label,
    } in &entries
    {
        let source = &mut sources[*source];
        if let Some(reason) = source.unfit(name).filter(|_| !asked) {
            opened.skipped.push(Skipped {
                runner: label.clone(),
                reason,
            });
            continue;
        }
        if matches!(how, How::Held) && (!is_runtime(name) || source.graph.is_none()) {
            source.load()?;
        }
        let runner = match how {
            How::Held => source.runner(name, label, request),
            How::Isolated(program) => source.child(name, label, request, program),
            How::InTurn(shelf) => source.turn(name, label, request, shelf),
        };
        match runner {
            Ok(runner) => opened.runners.push(runner),
            Err(error) if asked && !matches!(error, Error::Runner { .. }) => return Err(error),
            Err(error) => {
                opened.skipped.push(Skipped {
                    runner: label.clone(),
                    reason: error.to_string(),
                });
                unloaded.get_or_insert(error);
            }
        }
    }
    if let (true, true, Some(error)) = (asked, opened.runners.is_empty(), unloaded) {
        return Err(error);
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
    let source = Source::at(path.to_path_buf().into())?;
    Ok(source.graph.filter(|_| !source.checkpoint))
}

/// The folder that says how the model at `path` reads and writes: itself, or of a file that one of
/// the two it lies in which has a `config.json`.
pub fn home(path: &Path) -> &Path {
    let described = |folder: &&Path| folder.join(CONFIG).is_file();
    match path.is_file() {
        true => path
            .ancestors()
            .skip(1)
            .take(2)
            .find(described)
            .unwrap_or(path),
        false => path,
    }
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
        let gpt2 = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/hf/gpt2");
        let both = [gpt2, fixture("cached.onnx")];
        assert!(error(&both, &["flex"]).contains("none of flex takes it; add a runtime"));
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
