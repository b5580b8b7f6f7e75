//! The folders of the reference set, each loaded and exported once.

use std::path::PathBuf;
use std::sync::{LazyLock, OnceLock};

use burn::tensor::DType;
use fluxo_compare::{ExportOptions, OnnxModelFiles};
use fluxo_models::stack::InputConfig;
use fluxo_models::{Model, NetworkConfig, Tensors, tensors};
use fluxo_tests::fixture;

/// One folder of the reference set.
pub struct Case {
    /// The folder's name, `v4-` before it where config.json has the layout of transformers 4.
    pub name: String,
    folder: PathBuf,
    model: OnceLock<Model>,
    graph: OnceLock<Result<OnnxModelFiles, String>>,
}

/// Every folder that holds a reference, in the order of their names.
pub fn all() -> impl Iterator<Item = &'static Case> {
    static CASES: LazyLock<Vec<Case>> = LazyLock::new(|| {
        let mut cases = Vec::new();
        for (set, prefix) in [("hf", ""), ("hf-v4", "v4-")] {
            let entries = std::fs::read_dir(fixture(set)).unwrap();
            let mut folders: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
            folders.sort();
            folders.retain(|folder| folder.join("reference.safetensors").is_file());
            cases.extend(folders.into_iter().map(|folder| Case {
                name: format!("{prefix}{}", folder.file_name().unwrap().to_string_lossy()),
                folder,
                model: OnceLock::new(),
                graph: OnceLock::new(),
            }));
        }
        assert!(!cases.is_empty());
        cases
    });
    CASES.iter()
}

impl Case {
    /// The model, on flex.
    pub fn model(&self) -> &Model {
        self.model.get_or_init(|| {
            let device = fluxo_backends::device("flex").unwrap();
            Model::load(&self.folder, None, &device).unwrap().0
        })
    }

    /// The model in another type.
    pub fn model_as(&self, dtype: DType) -> Model {
        if dtype == DType::F32 {
            return self.model().clone();
        }
        let device = fluxo_backends::device("flex").unwrap();
        let loaded = Model::load_as(&self.folder, None, &device, dtype);
        loaded.unwrap().0
    }

    /// Options with the reference's images.
    pub fn options(&self, options: ExportOptions) -> ExportOptions {
        ExportOptions {
            image_size: self.image_size(),
            ..options
        }
    }

    /// The exported ONNX files, checked as every export is.
    pub fn graph(&self) -> Result<OnnxModelFiles, String> {
        static FOLDER: LazyLock<tempfile::TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());
        let export = || {
            let folder = FOLDER.path().join(&self.name);
            let options = self.options(ExportOptions::default());
            fluxo_compare::export(self.model(), &folder, &options).map_err(|e| e.to_string())?;
            OnnxModelFiles::in_folder(&folder).ok_or_else(|| "nothing was exported".to_string())
        };
        self.graph.get_or_init(export).clone()
    }

    /// Height and width of the reference's images, which need not be the configuration's.
    fn image_size(&self) -> Option<[usize; 2]> {
        let shape = self.tensors().get("in.pixel_values")?.shape().to_vec();
        Some([shape[2], shape[3]])
    }

    /// The network's configuration, its images of the reference's size.
    pub fn config(&self) -> NetworkConfig {
        let mut config = self.model().config().clone();
        let vision = config.vision.as_mut().map(|stack| &mut stack.input);
        if let (Some(InputConfig::Patches(patches)), Some(size)) = (vision, self.image_size()) {
            patches.image = size;
        }
        config
    }

    /// Inputs `in.*` and transformers' outputs `out.*`, but for the tokens, which are compared as
    /// such.
    pub fn reference(&self) -> Tensors {
        let mut tensors = self.tensors();
        tensors.remove("out.greedy");
        tensors
    }

    /// Everything in the reference file.
    pub fn tensors(&self) -> Tensors {
        tensors::read(&self.folder.join("reference.safetensors")).unwrap()
    }

    /// Whether the reference has greedy tokens.
    pub fn writes(&self) -> bool {
        self.tensors().contains_key("out.greedy")
    }
}
