//! Where a checkpoint says how images and sounds become tensors.
//!
//! transformers 5 keeps the settings of several steps in one `processor_config.json`, each under
//! its own key; transformers 4, transformers.js and steps that stand alone have them in
//! `preprocessor_config.json`. Where both are there, the first counts, as in transformers.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::files;
use crate::text::settings::read_object;

/// The settings of one step, alone.
pub(crate) const PREPROCESSOR_CONFIG: &str = "preprocessor_config.json";
/// The settings of several steps.
pub(crate) const PROCESSOR_CONFIG: &str = "processor_config.json";
/// What images are called in it.
pub(crate) const IMAGES: [&str; 1] = ["image_processor"];
/// What sounds are called in it.
pub(crate) const SOUNDS: [&str; 2] = ["feature_extractor", "audio_processor"];

/// The settings of the step with one of the names `keys` of the checkpoint in `dir`, and the file
/// that they stand in. The other step's may be given where the file does not tell them apart.
///
/// # Errors
/// When a file is no JSON object.
pub(crate) fn settings(dir: &Path, keys: &[&str]) -> Result<Option<(PathBuf, Map<String, Value>)>> {
    let path = dir.join(PROCESSOR_CONFIG);
    if path.exists() {
        let mut map = read_object(&path)?;
        let mut found = keys.iter().filter_map(|key| map.remove(*key));
        if let Some(Value::Object(settings)) = found.find(Value::is_object) {
            return Ok(Some((path, settings)));
        }
    }
    let path = dir.join(PREPROCESSOR_CONFIG);
    if path.exists() {
        Ok(Some((path.clone(), read_object(&path)?)))
    } else {
        Ok(None)
    }
}

/// Writes the settings of the folder `dir` that stand in `processor_config.json` as the
/// `preprocessor_config.json` too that programs read which know no other.
///
/// # Errors
/// When a file is no JSON object, or cannot be written.
pub(crate) fn write_alone(dir: &Path) -> Result<()> {
    let Some((from, mut map)) = settings(dir, &[&IMAGES[..], &SOUNDS].concat())? else {
        return Ok(());
    };
    let path = dir.join(PREPROCESSOR_CONFIG);
    if from == path {
        return Ok(());
    }
    if !map.contains_key("processor_class")
        && let Some(class) = read_object(&from)?.remove("processor_class")
    {
        map.insert("processor_class".into(), class);
    }
    let json = serde_json::to_vec_pretty(&map).map_err(|e| Error::malformed(&path, e))?;
    files::write_atomic(&path, |file| std::io::Write::write_all(file, &json))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        dir
    }

    const NESTED: &str = r#"{"image_processor": {"size": 1, "image_processor_type": "ViTImageProcessor"},
        "feature_extractor": null, "processor_class": "CLIPProcessor"}"#;

    #[test]
    fn nested_settings_come_first() {
        let alone = (PREPROCESSOR_CONFIG, r#"{"size": 2}"#);
        let both = folder(&[alone, (PROCESSOR_CONFIG, NESTED)]);
        let size = |dir: &tempfile::TempDir, keys: &[&str]| {
            settings(dir.path(), keys).unwrap().unwrap().1["size"].clone()
        };
        assert_eq!(size(&both, &IMAGES), 1);
        assert_eq!(size(&both, &SOUNDS), 2);
        assert_eq!(size(&folder(&[alone]), &IMAGES), 2);
        let plain = folder(&[(PROCESSOR_CONFIG, r#"{"processor_class": "X"}"#)]);
        assert!(settings(plain.path(), &IMAGES).unwrap().is_none());
    }

    #[test]
    fn they_are_written_where_other_programs_look() {
        let dir = folder(&[(PROCESSOR_CONFIG, NESTED)]);
        write_alone(dir.path()).unwrap();
        let written = read_object(&dir.path().join(PREPROCESSOR_CONFIG)).unwrap();
        let wanted = serde_json::json!({
            "size": 1, "image_processor_type": "ViTImageProcessor", "processor_class": "CLIPProcessor",
        });
        assert_eq!(Value::Object(written), wanted);
        // What stands there already and is known stays to the letter.
        let text = "{\"size\":   2}";
        let dir = folder(&[(PREPROCESSOR_CONFIG, text)]);
        write_alone(dir.path()).unwrap();
        let path = dir.path().join(PREPROCESSOR_CONFIG);
        assert_eq!(std::fs::read_to_string(path).unwrap(), text);
    }
}
