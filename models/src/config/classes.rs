//! transformers' classes of configurations: the keys that each has, what they are where a file
//! leaves them out, and their other names. `tests/fixtures/make_config_keys.py` writes the
//! table out of transformers.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::RawConfig;
use crate::error::{Error, Result};

/// A class by its `model_type`.
static CLASSES: LazyLock<BTreeMap<String, Class>> = LazyLock::new(|| {
    let table = serde_json::from_str(include_str!("keys.json"));
    table.unwrap_or_else(|e| unreachable!("the table of keys is part of this program: {e}"))
});

/// Keys of every class.
const COMMON: [&str; 5] = [
    "architectures",
    "decoder_start_token_id",
    "id2label",
    "model_type",
    "num_labels",
];
/// Keys of every class that change it as nothing here does.
const UNKNOWN: [&str; 2] = ["per_layer_config", "tie_last_hidden_states"];

#[derive(Deserialize)]
struct Class {
    /// Its keys with what they are where a file has them not.
    defaults: Map<String, Value>,
    /// Other names of keys, which count where both are there.
    aliases: BTreeMap<String, String>,
    /// Keys without a default: of older files, or asked for by the model alone.
    beyond: Vec<String>,
}

impl RawConfig {
    /// The configuration as transformers' class for `model_type` has it: a key that is left out
    /// has the class's default, one by another name its own, and what the class does not know
    /// is gone. A null stays: it is a value, and not always the default.
    ///
    /// # Errors
    /// When there is no such class, or a key asks for what nothing here does.
    pub fn complete(&self, model_type: &str) -> Result<Self> {
        let class = CLASSES.get(model_type).ok_or_else(|| {
            Error::Config(format!("no configuration is known for `{model_type}`"))
        })?;
        if let Some(key) = UNKNOWN.iter().find(|key| self.get(key).is_some()) {
            return Err(Error::Config(format!("`{key}` is not supported")));
        }
        let mut map = class.defaults.clone();
        let beyond = class.beyond.iter().map(String::as_str);
        for (key, value) in &self.0 {
            if map.contains_key(key) || beyond.clone().chain(COMMON).any(|known| known == key) {
                map.insert(key.clone(), value.clone());
            }
        }
        for (alias, key) in &class.aliases {
            if let Some(value) = self.0.get(alias) {
                map.insert(key.clone(), value.clone());
            }
        }
        Ok(Self(map))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::catalog::FAMILIES;

    fn raw(value: Value) -> RawConfig {
        match value {
            Value::Object(map) => RawConfig(map),
            _ => unreachable!("an object"),
        }
    }

    /// Nothing but the family: transformers' own default model, which the base preset is not
    /// always, but which is one.
    #[test]
    fn every_class_of_every_family_has_a_default_for_each_key_that_it_reads() {
        for family in FAMILIES {
            let raw = raw(json!({"model_type": family.model_type}));
            for class in family.classes {
                let config = family.network(&raw, class.task).unwrap();
                config.check().unwrap();
            }
        }
    }

    #[test]
    fn another_name_counts_and_a_null_is_no_default() {
        let gpt2 = raw(json!({"num_hidden_layers": 3, "n_layer": 2, "n_inner": null}));
        let gpt2 = gpt2.complete("gpt2").unwrap();
        assert_eq!(gpt2.size("n_layer").unwrap(), 3);
        assert_eq!(gpt2.size("n_head").unwrap(), 12);
        assert_eq!(gpt2.size_opt("n_inner").unwrap(), None);
        let gemma2 = raw(json!({"attn_logit_softcapping": null}));
        let gemma2 = gemma2.complete("gemma2").unwrap();
        assert_eq!(gemma2.positive_opt("attn_logit_softcapping").unwrap(), None);
        assert_eq!(
            gemma2.positive_opt("final_logit_softcapping").unwrap(),
            Some(30.0)
        );
    }

    #[test]
    fn what_a_class_does_not_know_is_gone() {
        let llama = raw(json!({"hidden_activation": "relu", "sliding_window": 3, "num_labels": 5}));
        let llama = llama.complete("llama").unwrap();
        assert!(!llama.0.contains_key("hidden_activation"));
        assert!(!llama.0.contains_key("sliding_window"));
        assert_eq!(llama.labels().unwrap(), 5);
    }
}
