//! From paths and names to runners.

mod given;
mod lazy;
mod locate;
mod names;
mod plan;
mod source;
mod sources;

use std::path::Path;

use fluxo_models::{OutputOptions, Tensors, model::CONFIG};
use fluxo_verify::report::Location;

use crate::checkpoint_cache::CheckpointCache;
use crate::error::Result;
use crate::files::OnnxModelFiles;
use source::Source;
pub(crate) use sources::{How, Sources};

pub use crate::files::{GRAPH, RUNTIMES};
pub use given::Given;
pub use names::{RuntimeStatus, runtimes};
pub use sources::Opened;

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
    request: OutputOptions,
) -> Result<Opened> {
    Sources::new(models, names)?.open(request, How::Held)
}

/// [`open`], of whose runners and models one is in memory at a time: each is loaded when it runs,
/// and again when it runs again. [`Opened::model`] is in memory until it is dropped.
///
/// # Errors
/// As [`open`]; what a runner cannot load it says when it runs.
pub fn open_in_turn<M: Clone + Into<Given>>(
    models: &[M],
    names: &[String],
    request: OutputOptions,
) -> Result<Opened> {
    let cache = CheckpointCache::default();
    Sources::new(models, names)?.open(request, How::InTurn(&cache))
}

/// [`open`], each runner in a process of its own that runs `program`, the `fluxo` binary
/// ([`Child`](crate::runner::subprocess::Child)): one that crashes or runs out of memory takes no other down.
///
/// # Errors
/// As [`open`]; what a runner cannot load it says when it runs.
pub fn open_isolated<M: Clone + Into<Given>>(
    models: &[M],
    names: &[String],
    request: OutputOptions,
    program: &Path,
) -> Result<Opened> {
    Sources::new(models, names)?.open(request, How::Isolated(program))
}

/// Where each runner that [`open`] makes of the same parts from the first checkpoint in float64, on
/// `inputs`: [`Locator`](crate::locate::Locator). One model is held at a time. Without a checkpoint,
/// where each runtime parts from the first one ([`bisect`](crate::locate::bisect)). `None` where no
/// backend here computes in float64.
///
/// # Errors
/// As [`open`], and when the inputs do not fit the model.
pub fn locate<M: Clone + Into<Given>>(
    models: &[M],
    names: &[String],
    inputs: &Tensors,
) -> Result<Option<Vec<Location>>> {
    Sources::new(models, names)?.locate(inputs)
}

/// The ONNX file at `path`: the file itself, or the one or two in an exported folder. `None` for
/// a checkpoint, also where an export lies in it.
///
/// # Errors
/// When `path` is no model.
pub fn graph_of(path: &Path) -> Result<Option<OnnxModelFiles>> {
    let source = Source::at(path.to_path_buf().into())?;
    Ok(source.graph.filter(|_| !source.checkpoint))
}

/// The folder that says how the model at `path` reads and writes: itself, or of a file that one of
/// the two it lies in which has a `config.json`.
pub fn home(path: &Path) -> &Path {
    let described = |folder: &&Path| folder.join(CONFIG).is_file();
    if path.is_file() {
        path.ancestors()
            .skip(1)
            .take(2)
            .find(described)
            .unwrap_or(path)
    } else {
        path
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::PathBuf;

    use super::*;
    use crate::testing::fixture;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| name.to_string()).collect()
    }

    fn error(models: &[PathBuf], on: &[&str]) -> String {
        match open(models, &names(on), OutputOptions::default()) {
            Ok(_) => panic!("opened"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn an_onnx_file_runs_in_the_runtimes() {
        let opened = open(
            &[fixture("cached.onnx")],
            &names(&["tract", "rten"]),
            OutputOptions::default(),
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
        let opened = open(&models, &names(&["tract"]), OutputOptions::default()).unwrap();
        let names: Vec<_> = opened.runners.iter().map(|runner| runner.name()).collect();
        assert_eq!(names, ["cached:tract", "mine:tract", "mine#2:tract"]);
    }

    #[test]
    fn the_graph_of_an_exported_folder_is_found() {
        let file = fixture("cached.onnx");
        let whole = |file| Some(OnnxModelFiles::Whole(file));
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
