//! What a path holds: a checkpoint, an ONNX file, or both.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use burn::tensor::DType;
use fluxo_models::checkpoint::unread;
use fluxo_models::model::CONFIG;
use fluxo_models::{Model, OutputOptions, Task};

use super::given::Given;
use super::names::is_runtime;
use crate::error::{Error, Result, zoo};
use crate::export::folder::Draft;
use crate::export::plan::ModelPlan;
use crate::export::write::write;
use crate::export::{ExportOptions, folder};
use crate::files::{OnnxModelFiles, RUNTIMES};
use crate::progress::untold;
use crate::runner::{Kind, Label, Runner, backend::Burn, ort, ort_library, subprocess::Child};
use fluxo_backends::kernels::unit;
use fluxo_onnx::file::Signature;
use fluxo_verify::runner::precision;

/// Files that make a folder a checkpoint, beside its `config.json`.
const WEIGHTS: [&str; 3] = [
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
];

/// One path that was given, and what was made of it so far.
pub(super) struct Source {
    pub label: String,
    pub path: PathBuf,
    pub task: Option<Task>,
    pub checkpoint: bool,
    pub graph: Option<OnnxModelFiles>,
    pub model: Option<Model>,
    pub exported: Option<(OnnxModelFiles, Rc<Draft>)>,
}

impl Source {
    pub fn all(given: impl Iterator<Item = Given>) -> Result<Vec<Self>> {
        let mut sources: Vec<Self> = Vec::new();
        for given in given {
            let mut source = Self::at(given)?;
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

    pub fn at(given: Given) -> Result<Self> {
        let Given { path, task } = given;
        let path = path.as_path();
        let refuse = |reason: &str| {
            Err(Error::Model {
                path: path.to_path_buf(),
                reason: reason.to_string(),
            })
        };
        let source = |checkpoint, graph| Self {
            label: label(path),
            path: path.to_path_buf(),
            task,
            checkpoint,
            graph,
            model: None,
            exported: None,
        };
        if path.is_dir() {
            let graph = OnnxModelFiles::in_folder(path);
            let weights = WEIGHTS.iter().any(|name| path.join(name).is_file());
            // A folder with a configuration alone is a broken checkpoint: loading says how.
            let checkpoint = path.join(CONFIG).is_file() && (weights || graph.is_none());
            if !checkpoint && graph.is_none() {
                let told = unread::told(path);
                return refuse(told.as_deref().unwrap_or(
                    "holds neither a checkpoint (config.json and model.safetensors) nor onnx/model.onnx",
                ));
            }
            return Ok(source(checkpoint, graph));
        }
        if !path.exists() {
            return refuse("no such file or folder");
        }
        if path.extension().is_none_or(|extension| extension != "onnx") {
            let weights = ["safetensors", "bin", "gguf", "h5", "pt", "pth"];
            let is = |known: &&str| path.extension().is_some_and(|own| *own == **known);
            return refuse(if weights.iter().any(is) {
                "neither a folder nor an .onnx file; give the folder that it lies in"
            } else {
                "neither a folder nor an .onnx file"
            });
        }
        Ok(source(false, Some(OnnxModelFiles::around(path))))
    }

    /// `request`, and what the ONNX files give: a backend must give it too.
    pub fn asked(request: OutputOptions, source: &Self) -> Result<OutputOptions> {
        let mut request = request;
        for file in source.graph.iter().flat_map(OnnxModelFiles::files) {
            for port in Signature::read(file)?.outputs {
                request.hidden_states |= port.name.contains("hidden_states.");
                request.taps |= port.name.contains("layers.");
            }
        }
        Ok(request)
    }

    /// Loads the checkpoint, once.
    pub fn load(&mut self) -> Result<()> {
        if self.model.is_none() {
            let device = fluxo_backends::device(fluxo_backends::default_name().unwrap_or("flex"))?;
            self.model = Some(Model::load(&self.path, self.task, &device).map_err(zoo)?.0);
        }
        Ok(())
    }

    pub fn runner(
        &mut self,
        name: &str,
        label: &str,
        request: OutputOptions,
    ) -> Result<Box<dyn Runner>> {
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

    /// Why the runner `name` is not tried on this where it was not asked for by name.
    pub fn unfit(&self, name: &str) -> Option<String> {
        let declared = self
            .graph
            .as_ref()
            .filter(|_| is_runtime(name))?
            .declared()?;
        (declared == DType::BF16 && name != ort::NAME).then(|| {
            format!("weights in bfloat16, which ONNX Runtime reads; to try it, name {name} in --on")
        })
    }

    pub fn child(
        &self,
        name: &str,
        label: &str,
        request: OutputOptions,
        program: &Path,
    ) -> Result<Box<dyn Runner>> {
        let (backend, dtype) = precision(name);
        // What is not here is refused before anything runs.
        match is_runtime(name) {
            true if name == ort::NAME => drop(ort_library::environment()?),
            true => {}
            false => drop(fluxo_backends::device(backend)?),
        }
        let kind = if is_runtime(name) {
            Kind::Graph
        } else {
            Kind::Backend {
                gpu: fluxo_backends::is_gpu(backend),
            }
        };
        let label = Label {
            unit: dtype.map(unit),
            declared: self
                .graph
                .as_ref()
                .and_then(OnnxModelFiles::declared)
                .filter(|_| kind == Kind::Graph),
            ..Label::new(label, kind)
        };
        Ok(Box::new(Child {
            label,
            program: program.to_path_buf(),
            model: self.path.clone(),
            task: self.task.filter(|_| self.checkpoint),
            on: name.to_string(),
            request,
            cost: None,
        }))
    }

    /// The ONNX files, exported once where there are none.
    pub fn graph(&mut self) -> Result<OnnxModelFiles> {
        let exported = self.exported.as_ref().map(|(graph, _)| graph);
        if let Some(graph) = self.graph.as_ref().or(exported) {
            return Ok(graph.clone());
        }
        let model = self.model.as_ref().ok_or_else(|| self.no_weights("onnx"))?;
        let folder = folder::beside(&std::env::temp_dir())?;
        let options = ExportOptions::default();
        write(&ModelPlan::whole(model, &options)?, folder.path(), &untold)?;
        let graph =
            OnnxModelFiles::in_folder(folder.path()).ok_or_else(|| self.no_weights("onnx"))?;
        self.exported = Some((graph.clone(), Rc::new(folder)));
        Ok(graph)
    }

    /// # Errors
    /// When a task was chosen: of files that is what they were exported for.
    pub fn refuse_task(&self) -> Result<()> {
        match self.task {
            None => Ok(()),
            Some(task) => Err(Error::Model {
                path: self.path.clone(),
                reason: format!(
                    "was exported for what it does; to choose {task}, give --task to the export \
                     of its checkpoint"
                ),
            }),
        }
    }

    pub fn untaken(&self, names: &[String]) -> Error {
        let lacks = if self.checkpoint {
            "a backend".to_string()
        } else {
            format!("a runtime ({})", RUNTIMES.join(", "))
        };
        Error::Model {
            path: self.path.clone(),
            reason: format!("none of {} takes it; add {lacks} to --on", names.join(", ")),
        }
    }

    pub fn no_weights(&self, name: &str) -> Error {
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
