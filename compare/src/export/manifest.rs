//! What an exported folder says of how it was made, so that the check can be repeated.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::DType;
use fluxo_models::Task;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::metadata::SOURCE;
use crate::metadata::{DTYPE, OPTIONS, TARGET, TASK};

use super::options::ExportOptions;
use crate::files::OnnxModelFiles;
use fluxo_onnx::file::Signature;

/// The options that say what a file's inputs and outputs are.
#[derive(Debug, Serialize, Deserialize)]
struct Recorded {
    cache: bool,
    image_size: Option<[usize; 2]>,
    taps: String,
    hidden_states: bool,
    r#static: BTreeMap<String, usize>,
    /// Files of earlier versions do not say it, and take none.
    #[serde(default)]
    position_ids: bool,
}

/// `options` as metadata.
pub(crate) fn record(options: &ExportOptions) -> String {
    let recorded = Recorded {
        cache: options.cache,
        image_size: options.image_size,
        taps: options.taps.to_string(),
        hidden_states: options.hidden_states,
        r#static: options.static_sizes.clone(),
        position_ids: options.position_ids,
    };
    // A struct of plain fields has a JSON form.
    serde_json::to_string(&recorded).unwrap_or_default()
}

/// How an exported folder was made.
#[derive(Debug, Clone)]
pub struct ExportManifest {
    /// What its head does.
    pub task: Task,
    /// The element type of its weights.
    pub dtype: DType,
    /// What else was asked.
    pub options: ExportOptions,
    /// The digest of the checkpoint that it came from, where it was noted.
    pub source: Option<String>,
}

impl ExportManifest {
    /// Reads what the files in `folder` say.
    ///
    /// # Errors
    /// When there are none, or they are not an export of this program.
    pub fn read(folder: &Path) -> Result<Self> {
        let refuse = |reason: &str| Error::Model {
            path: folder.to_path_buf(),
            reason: reason.to_string(),
        };
        let graph =
            OnnxModelFiles::in_folder(folder).ok_or_else(|| refuse("holds no exported files"))?;
        let file = graph.files()[0];
        let about = Signature::read(file)?.metadata;
        let foreign =
            || refuse("was not exported by this version of fluxo; use `fluxo compare` instead");
        let said = |key: &str| about.get(key).ok_or_else(foreign);
        let recorded: Recorded = serde_json::from_str(said(OPTIONS)?).map_err(|_| foreign())?;
        let options = ExportOptions {
            target: said(TARGET)?.parse().map_err(|_| foreign())?,
            cache: recorded.cache,
            image_size: recorded.image_size,
            taps: match recorded.taps.parse() {
                Ok(taps) => taps,
                Err(never) => match never {},
            },
            hidden_states: recorded.hidden_states,
            static_sizes: recorded.r#static,
            position_ids: recorded.position_ids,
            ..ExportOptions::default()
        };
        Ok(Self {
            task: said(TASK)?.parse().map_err(|_| foreign())?,
            dtype: match said(DTYPE)?.as_str() {
                "f16" => DType::F16,
                "bf16" => DType::BF16,
                _ => DType::F32,
            },
            options,
            source: about.get(SOURCE).cloned(),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use fluxo_models::{Model, NewModelOptions};

    use super::*;
    use crate::{TapChoice, export, verify};

    #[test]
    fn the_check_is_repeated_from_what_the_file_says() {
        let device = fluxo_backends::device("flex").unwrap();
        let model = Model::new("gpt2", &NewModelOptions::default(), 3, &device).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let options = ExportOptions {
            verify: false,
            cache: false,
            hidden_states: true,
            taps: TapChoice::Named(vec!["layers.0.t1".into(), "layers.1.h".into()]),
            static_sizes: [("batch".to_string(), 2)].into(),
            metadata: [(SOURCE.to_string(), "abc".to_string())].into(),
            ..ExportOptions::default()
        };
        export(&model, dir.path(), &options).unwrap();
        let exported = ExportManifest::read(dir.path()).unwrap();
        assert_eq!(exported.task, model.task());
        assert_eq!(exported.dtype, DType::F32);
        assert_eq!(exported.source.as_deref(), Some("abc"));
        let read = &exported.options;
        assert_eq!((read.cache, read.hidden_states), (false, true));
        assert_eq!(
            (&read.taps, &read.static_sizes),
            (&options.taps, &options.static_sizes)
        );
        assert!(verify(&model, dir.path(), read).unwrap().agrees());
        // Of another model, and of another program.
        let other = Model::new("gpt2", &NewModelOptions::default(), 4, &device).unwrap();
        assert!(!verify(&other, dir.path(), read).unwrap().agrees());
        let foreign = tempfile::tempdir().unwrap();
        std::fs::copy(
            crate::testing::fixture("cached.onnx"),
            foreign.path().join("model.onnx"),
        )
        .unwrap();
        let error = ExportManifest::read(foreign.path()).unwrap_err();
        assert!(error.to_string().contains("use `fluxo compare`"), "{error}");
    }
}
