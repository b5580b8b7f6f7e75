//! What stands beside the weights in a folder that programs other than transformers open.

use std::path::Path;

use serde_json::{Map, Value, json};

use crate::chat;
use crate::config::RawConfig;
use crate::error::{Error, Result};
use crate::files;
use crate::model::{CONFIG, Model};
use crate::preprocessor;

impl Model {
    /// As [`Model::save_config`], with nothing left to a default that transformers.js does not
    /// know: the sizes of the cache stand in `config.json`, with the graphs in `dir/onnx` whose
    /// weights lie beside, a tokenizer of an older layout becomes a `tokenizer.json`, a chat
    /// template stands in `tokenizer_config.json` and how images and sounds are read in
    /// `preprocessor_config.json`, wherever else they are.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn save_config_whole(&self, dir: &Path) -> Result<()> {
        self.save_config(dir)?;
        if let Some(text) = self.text() {
            text.write_whole(dir)?;
        }
        chat::write_beside(dir)?;
        preprocessor::write_alone(dir)?;
        let path = dir.join(CONFIG);
        let mut config = RawConfig::read(&path)?.0;
        let beside = data_files(dir)?;
        if !beside.is_empty() {
            let hint = json!({"use_external_data_format": beside});
            config.insert("transformers.js_config".into(), hint);
        }
        for (key, value) in defaults(self, &config) {
            if config.get(key).is_none_or(Value::is_null) {
                config.insert(key.to_string(), value);
            }
        }
        let json = serde_json::to_vec_pretty(&config).map_err(|e| Error::malformed(&path, e))?;
        files::write_atomic(&path, |file| std::io::Write::write_all(file, &json))
    }
}

/// The graphs in `dir/onnx` whose weights lie in a file beside, each with how many files that are.
fn data_files(dir: &Path) -> Result<Map<String, Value>> {
    let folder = dir.join("onnx");
    if !folder.is_dir() {
        return Ok(Map::new());
    }
    let mut found = Map::new();
    for entry in std::fs::read_dir(&folder).map_err(|e| Error::io(&folder, e))? {
        let name = entry.map_err(|e| Error::io(&folder, e))?.file_name();
        if let Some(graph) = name.to_string_lossy().strip_suffix("_data") {
            found.insert(graph.to_string(), json!(1));
        }
    }
    Ok(found)
}

/// The fields from which transformers.js computes a cache's names and shapes.
fn defaults(model: &Model, raw: &Map<String, Value>) -> Vec<(&'static str, Value)> {
    let config = model.config();
    let decodes = config.cached() && !config.encodes_and_decodes();
    let sizes = match raw.get("model_type").and_then(Value::as_str) {
        Some("t5" | "mt5") => vec![
            ("num_decoder_layers", raw.get("num_layers").cloned()),
            ("d_kv", Some(json!(config.head_dim()))),
            ("is_encoder_decoder", Some(json!(true))),
        ],
        // Those of GPT-2's layout have no heads of their own for the keys.
        Some(_) if decodes && raw.contains_key("num_attention_heads") => vec![
            ("num_key_value_heads", Some(json!(config.kv_heads()))),
            ("head_dim", Some(json!(config.head_dim()))),
        ],
        Some(_) if config.encodes_and_decodes() => {
            vec![("is_encoder_decoder", Some(json!(true)))]
        }
        _ => Vec::new(),
    };
    let known = |(key, value): (_, Option<Value>)| Some((key, value?));
    sizes.into_iter().filter_map(known).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use burn::tensor::Device;

    use super::*;
    use crate::model::NewModelOptions;

    /// The exported configuration of a new model of `family` whose own says nothing of `keys`.
    fn exported(family: &str, keys: &[&str]) -> Map<String, Value> {
        let device = Device::default();
        let model = Model::new(family, &NewModelOptions::default(), 1, &device).unwrap();
        let (checkpoint, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        model.save(checkpoint.path()).unwrap();
        let path = checkpoint.path().join(CONFIG);
        let mut raw = RawConfig::read(&path).unwrap().0;
        for key in keys {
            raw.remove(*key);
        }
        std::fs::write(&path, Value::Object(raw).to_string()).unwrap();
        let (model, _) = Model::load(checkpoint.path(), None, &device).unwrap();
        model.save_config_whole(folder.path()).unwrap();
        RawConfig::read(&folder.path().join(CONFIG)).unwrap().0
    }

    #[test]
    fn sizes_of_the_cache_are_written_out() {
        let config = exported("llama", &["head_dim"]);
        let size = |key: &str| config[key].as_u64().unwrap();
        assert_eq!(
            size("head_dim"),
            size("hidden_size") / size("num_attention_heads")
        );
        assert!(size("num_key_value_heads") > 0);
        let config = exported("t5", &["num_decoder_layers"]);
        assert_eq!(config["num_decoder_layers"], config["num_layers"]);
        assert_eq!(config["is_encoder_decoder"], true);
    }

    #[test]
    fn weights_beside_a_graph_are_announced() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("onnx")).unwrap();
        for name in ["model.onnx", "model.onnx_data"] {
            std::fs::write(dir.path().join("onnx").join(name), "").unwrap();
        }
        let model = Model::new("bert", &NewModelOptions::default(), 1, &Device::default()).unwrap();
        model.save_config_whole(dir.path()).unwrap();
        let config = RawConfig::read(&dir.path().join(CONFIG)).unwrap().0;
        let hint = &config["transformers.js_config"]["use_external_data_format"];
        assert_eq!(*hint, json!({"model.onnx": 1}));
    }

    #[test]
    fn nothing_is_added_where_there_is_no_cache() {
        let config = exported("bert", &[]);
        assert!(!config.contains_key("head_dim"));
        assert!(!config.contains_key("num_key_value_heads"));
    }
}
