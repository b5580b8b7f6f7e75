//! A model of the zoo as an ONNX file, published only after it was checked.

use std::path::{Path, PathBuf};

use fluxo_models::Model;
use serde::Serialize;

use crate::error::Error;
use crate::interface::Interface;
use crate::publish::{beside, io, publish};
use crate::report::Report;
use crate::verify::verify;

/// Where the graph lies in an exported folder.
pub const GRAPH: &str = "onnx/model.onnx";

/// What is exported, and how.
#[derive(Debug, Clone, Copy)]
pub struct ExportOptions {
    /// The version of ONNX's operators.
    pub opset: i64,
    /// Whether a decoder takes and gives its cache.
    pub cache: bool,
    /// Whether the file is run and compared before it is published.
    pub verify: bool,
    /// Height and width of the images that the file reads; the configuration's where it is
    /// `None`.
    pub image_size: Option<[usize; 2]>,
}

impl Default for ExportOptions {
    fn default() -> Self {
        Self {
            opset: 18,
            cache: true,
            verify: true,
            image_size: None,
        }
    }
}

/// What was written.
#[derive(Debug, Clone, Serialize)]
pub struct ExportReport {
    /// The exported folder.
    pub folder: PathBuf,
    /// The ONNX file in it.
    pub file: PathBuf,
    /// That file's size.
    pub bytes: u64,
    /// The version of ONNX's operators.
    pub opset: i64,
    /// The file's inputs, in order.
    pub inputs: Vec<String>,
    /// The file's outputs, in order.
    pub outputs: Vec<String>,
    /// What the check found; `None` where none was asked for.
    pub verification: Option<Report>,
}

/// Why nothing was published.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The file computes something else than the model.
    #[error("the exported file does not agree with Burn, and was not kept: {}", last_line(.0))]
    Disagrees(Box<Report>),
    /// No embedded runtime could run the file.
    #[error("the exported file could not be checked, and was not kept: {0}")]
    Unverified(Error),
    /// It did not come so far.
    #[error(transparent)]
    Failed(#[from] Error),
}

impl ExportError {
    /// Whether the export was checked and did not hold; otherwise it could not be done.
    pub fn did_not_hold(&self) -> bool {
        !matches!(self, Self::Failed(_))
    }
}

fn last_line(report: &Report) -> String {
    report
        .to_string()
        .lines()
        .last()
        .unwrap_or_default()
        .to_string()
}

/// Writes `model` as ONNX into the folder `dir`: `config.json`, the files of the tokenizer where
/// there is one, and `onnx/model.onnx`.
///
/// The files are made beside, the graph is run in the embedded runtimes at sizes that no trace
/// had and compared with Burn ([`verify`]), and only then do they come under their names; what
/// was in `dir` before is replaced file by file.
///
/// # Errors
/// [`ExportError::Disagrees`] and [`ExportError::Unverified`] when the check did not hold,
/// [`ExportError::Failed`] when the model has no ONNX form or the folder cannot be written.
pub fn export(
    model: &Model,
    dir: &Path,
    options: &ExportOptions,
) -> std::result::Result<ExportReport, ExportError> {
    export_with(model, dir, options, |file| verify(model, file, options))
}

/// [`export()`] with the check as a function of the written file.
fn export_with(
    model: &Model,
    dir: &Path,
    options: &ExportOptions,
    check: impl FnOnce(&Path) -> Result<Report, Error>,
) -> std::result::Result<ExportReport, ExportError> {
    let beside = beside(dir)?;
    let draft = beside.path();
    let file = draft.join(GRAPH);
    write(model, &file, options)?;
    let verification = match options.verify {
        true => Some(check(&file).map_err(ExportError::Unverified)?),
        false => None,
    };
    if let Some(report) = verification.as_ref().filter(|report| !report.agrees()) {
        return Err(ExportError::Disagrees(Box::new(report.clone())));
    }
    model.save_config(draft).map_err(Error::from)?;
    let signature = crate::signature::Signature::read(&file)?;
    publish(draft, dir)?;
    let file = dir.join(GRAPH);
    let names =
        |ports: Vec<crate::signature::Port>| ports.into_iter().map(|port| port.name).collect();
    Ok(ExportReport {
        bytes: std::fs::metadata(&file).map_err(|e| io(&file, e))?.len(),
        folder: dir.to_path_buf(),
        file,
        opset: options.opset,
        inputs: names(signature.inputs),
        outputs: names(signature.outputs),
        verification,
    })
}

/// Writes the graph alone to `path`, unchecked.
///
/// # Errors
/// When the model has no ONNX form, or `path` cannot be written.
pub(crate) fn write(model: &Model, path: &Path, options: &ExportOptions) -> Result<(), Error> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(|e| io(parent, e))?;
    }
    let interface = Interface::of(model, options)?;
    let spec = interface.spec(model.family());
    let settings = fluxo_onnx::Options {
        opset: options.opset,
        ..Default::default()
    };
    let graph = fluxo_onnx::export(&model.network, &spec, &settings, |network, args| {
        interface.forward(network, args)
    })?;
    graph.write(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use fluxo_models::{Request, Settings};

    use super::*;
    use crate::testing::skip;
    use crate::{artifact, compare, samples};

    fn model(family: &str, seed: u64) -> Model {
        let device = fluxo_backends::device("flex").unwrap();
        Model::new(family, &Settings::default(), seed, &device).unwrap()
    }

    /// Every file below `dir`, by its path in it.
    fn files(dir: &Path) -> Vec<String> {
        let mut found = Vec::new();
        let mut folders = vec![dir.to_path_buf()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.push(path.strip_prefix(dir).unwrap().display().to_string());
                }
            }
        }
        found.sort();
        found
    }

    /// Exports, then compares checkpoint and export on every backend and runtime there is.
    fn round_trip(family: &str, options: &ExportOptions, inputs: &[&str], outputs: &[&str]) {
        let dir = tempfile::tempdir().unwrap();
        let (checkpoint, exported) = (dir.path().join("ckpt"), dir.path().join("new/exported"));
        let model = model(family, 3);
        model.save(&checkpoint).unwrap();
        let report = export(&model, &exported, options).unwrap();
        let verification = report.verification.unwrap();
        assert!(
            verification.agrees() && verification.skipped.is_empty(),
            "{verification}"
        );
        assert_eq!(verification.runners.len(), 3, "{verification}");
        assert_eq!(files(&exported), ["config.json", GRAPH]);
        // Whoever may read the configuration may read the graph.
        let permissions = |name| {
            std::fs::metadata(exported.join(name))
                .unwrap()
                .permissions()
        };
        assert_eq!(permissions(GRAPH), permissions("config.json"));
        assert_eq!(report.inputs[..inputs.len()], *inputs);
        assert_eq!(report.outputs[..outputs.len()], *outputs);

        let models = [checkpoint, exported];
        let mut opened = artifact::open(&models, &[], Request::default()).unwrap();
        for skipped in &opened.skipped {
            skip(&format!("{family} in {}", skipped.runner), &skipped.reason);
        }
        let inputs = samples::inputs(model.config(), 2, 9);
        let report = compare(&mut opened.runners, &inputs, None).unwrap();
        println!("{report}");
        assert!(report.agrees() && report.skipped.is_empty(), "{report}");
        assert!(report.runners.contains(&"ckpt:flex".to_string()));
        assert!(report.runners.contains(&"exported:rten".to_string()));
    }

    const CACHED: [&str; 4] = [
        "input_ids",
        "attention_mask",
        "past_key_values.0.key",
        "past_key_values.0.value",
    ];

    #[test]
    fn bert_round_trip() {
        let inputs = ["input_ids", "attention_mask", "token_type_ids"];
        let outputs = ["last_hidden_state", "pooler_output"];
        round_trip("bert", &ExportOptions::default(), &inputs, &outputs);
    }

    #[test]
    fn gpt2_round_trip() {
        let outputs = ["logits", "present.0.key", "present.0.value"];
        round_trip("gpt2", &ExportOptions::default(), &CACHED, &outputs);
    }

    #[test]
    fn llama_round_trip() {
        let outputs = ["logits", "present.0.key", "present.0.value"];
        round_trip("llama", &ExportOptions::default(), &CACHED, &outputs);
    }

    #[test]
    fn without_a_cache() {
        let options = ExportOptions {
            cache: false,
            ..ExportOptions::default()
        };
        round_trip(
            "gpt2",
            &options,
            &["input_ids", "attention_mask"],
            &["logits"],
        );
    }

    #[test]
    fn the_files_of_a_tokenizer_come_along() {
        let dir = tempfile::tempdir().unwrap();
        let (checkpoint, exported) = (dir.path().join("ckpt"), dir.path().join("exported"));
        model("bert", 3).save(&checkpoint).unwrap();
        let words = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nflow\n";
        std::fs::write(checkpoint.join("vocab.txt"), words).unwrap();
        let settings = r#"{"tokenizer_class": "BertTokenizer"}"#;
        std::fs::write(checkpoint.join("tokenizer_config.json"), settings).unwrap();
        let device = fluxo_backends::device("flex").unwrap();
        let (model, _) = Model::load(&checkpoint, None, &device).unwrap();
        export(&model, &exported, &ExportOptions::default()).unwrap();
        let found = files(&exported);
        for name in ["config.json", GRAPH, "tokenizer_config.json", "vocab.txt"] {
            assert!(found.iter().any(|file| file == name), "{name}: {found:?}");
        }
    }

    #[test]
    fn a_file_that_does_not_agree_is_not_kept() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("exported");
        let (model, other) = (model("bert", 3), model("bert", 4));
        let options = ExportOptions::default();
        let error = export_with(&model, &target, &options, |file| {
            verify(&other, file, &options)
        })
        .unwrap_err();
        assert!(error.did_not_hold());
        let ExportError::Disagrees(report) = error else {
            panic!("{error}")
        };
        assert!(!report.agrees());
        // Neither the folder nor a draft of it.
        assert_eq!(files(dir.path()), Vec::<String>::new());
        assert!(!target.exists());

        // What was there before stays as it was.
        std::fs::create_dir_all(target.join("onnx")).unwrap();
        std::fs::write(target.join(GRAPH), "old").unwrap();
        let unverified = Error::runner("tract", "no");
        let error = export_with(&model, &target, &options, |_| Err(unverified)).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("could not be checked, and was not kept: tract: no")
        );
        assert_eq!(std::fs::read(target.join(GRAPH)).unwrap(), b"old");
        assert_eq!(files(&target), [GRAPH]);
        export(&model, &target, &options).unwrap();
        assert_eq!(files(&target), ["config.json", GRAPH]);
        assert_ne!(std::fs::read(target.join(GRAPH)).unwrap(), b"old");
    }

    #[test]
    fn what_cannot_be_written_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        let model = model("bert", 3);
        let error = export(&model, &file, &ExportOptions::default()).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("a file of this name is in the way"),
            "{error}"
        );
        let error = export(&model, &file.join("below"), &ExportOptions::default()).unwrap_err();
        assert!(error.to_string().contains("file"), "{error}");
        assert!(!error.did_not_hold());
        let options = ExportOptions {
            opset: 7,
            ..ExportOptions::default()
        };
        let error = export(&model, &dir.path().join("e"), &options).unwrap_err();
        assert!(error.to_string().contains("opset 7"), "{error}");
        let options = ExportOptions {
            image_size: Some([8, 8]),
            ..ExportOptions::default()
        };
        let error = export(&model, &dir.path().join("e"), &options).unwrap_err();
        assert!(error.to_string().contains("reads no images"), "{error}");
        assert_eq!(files(dir.path()), ["file"]);
    }
}
