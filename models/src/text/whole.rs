//! A tokenizer in the two files that other programs open: not all of them read the older layouts.

use std::path::Path;

use serde_json::{Map, Value, json};
use tokenizers::Tokenizer;

use super::settings::{TOKENIZER_CONFIG, content, read_object};
use super::{From, Kind, TOKENIZER, Text};
use crate::error::{Error, Result};
use crate::files;

/// What the special tokens of published vocabularies are for.
pub(super) const USUAL: [(&str, &[&str]); 7] = [
    ("bos_token", &["<s>", "<|endoftext|>"]),
    ("eos_token", &["</s>", "<|endoftext|>"]),
    ("unk_token", &["[UNK]", "<unk>", "<|endoftext|>"]),
    ("sep_token", &["[SEP]"]),
    ("pad_token", &["[PAD]", "<pad>"]),
    ("cls_token", &["[CLS]"]),
    ("mask_token", &["[MASK]", "<mask>"]),
];

impl Text {
    /// Writes into `dir`, where the tokenizer's own files already are ([`Text::files`]),
    /// `tokenizer.json` and `tokenizer_config.json` if either is not among them, and the former
    /// anew where a class makes another tokenizer of it: other programs take it as it is. The
    /// configuration's own entries stay; added are the special tokens that it does not name.
    /// Where tokens are bytes, nothing is written.
    ///
    /// # Errors
    /// When a file cannot be written, or the configuration is no JSON object.
    pub fn write_whole(&self, dir: &Path) -> Result<()> {
        let Kind::Tokenizer {
            tokenizer, from, ..
        } = &self.0
        else {
            return Ok(());
        };
        let (whole, settings) = (dir.join(TOKENIZER), dir.join(TOKENIZER_CONFIG));
        let stands = whole.exists() && (*from != From::Class || reads_as(&whole, tokenizer)?);
        if stands && settings.exists() {
            return Ok(());
        }
        if !stands {
            let json = tokenizer.to_string(false);
            let json = json.map_err(|e| Error::Text(e.to_string()))?;
            write(&whole, json.as_bytes())?;
        }
        let mut map = if settings.exists() {
            read_object(&settings)?
        } else {
            Map::from_iter([(
                "tokenizer_class".to_string(),
                json!("PreTrainedTokenizerFast"),
            )])
        };
        let added = tokenizer.get_added_vocabulary().get_added_tokens_decoder();
        let special = |name: &&&str| added.values().any(|t| t.special && t.content == **name);
        for (key, names) in USUAL {
            if map.get(key).and_then(content).is_none()
                && let Some(name) = names.iter().find(special)
            {
                map.insert(key.to_string(), json!(name));
            }
        }
        let json = serde_json::to_vec_pretty(&Value::Object(map));
        let json = json.map_err(|e| Error::malformed(&settings, e))?;
        write(&settings, &json)
    }
}

/// Whether the `tokenizer.json` at `path` by itself is `tokenizer`.
fn reads_as(path: &Path, tokenizer: &Tokenizer) -> Result<bool> {
    let own = super::parsed(path, &super::bytes(path)?)?;
    let [own, other] = [&own, tokenizer].map(serde_json::to_value);
    let malformed = |e| Error::malformed(path, e);
    Ok(own.map_err(malformed)? == other.map_err(malformed)?)
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    files::write_atomic(path, |file| std::io::Write::write_all(file, bytes))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A folder with a vocabulary of BERT's and `settings`, and its tokenizer.
    fn folder(settings: Option<&str>) -> (tempfile::TempDir, Text) {
        let dir = tempfile::tempdir().unwrap();
        let words = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nflow\n##s\n";
        std::fs::write(dir.path().join("vocab.txt"), words).unwrap();
        if let Some(settings) = settings {
            std::fs::write(dir.path().join(TOKENIZER_CONFIG), settings).unwrap();
        }
        let text = Text::from_folder(dir.path()).unwrap().unwrap();
        (dir, text)
    }

    #[test]
    fn both_files_are_there_and_read_the_same() {
        let (dir, text) = folder(None);
        text.write_whole(dir.path()).unwrap();
        std::fs::remove_file(dir.path().join("vocab.txt")).unwrap();
        let again = Text::from_folder(dir.path()).unwrap().unwrap();
        assert_eq!(again.encode("Flows").unwrap(), [2, 5, 6, 3]);
        let settings = read_object(&dir.path().join(TOKENIZER_CONFIG)).unwrap();
        assert_eq!(settings["pad_token"], "[PAD]");
        assert_eq!(settings["mask_token"], "[MASK]");
        assert!(!settings.contains_key("bos_token"));
    }

    #[test]
    fn what_a_configuration_says_stays() {
        let (dir, text) = folder(Some(r#"{"do_lower_case": true, "pad_token": "[UNK]"}"#));
        text.write_whole(dir.path()).unwrap();
        let settings = read_object(&dir.path().join(TOKENIZER_CONFIG)).unwrap();
        assert_eq!(settings["do_lower_case"], true);
        assert_eq!(settings["pad_token"], "[UNK]");
        assert_eq!(settings["cls_token"], "[CLS]");
    }

    /// What a class makes of the file stands in it: programs that know no classes read the same.
    #[test]
    fn what_a_class_makes_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../tests/fixtures/reports/tokenizer-settings/bert");
        for file in [TOKENIZER, TOKENIZER_CONFIG, crate::model::CONFIG] {
            std::fs::copy(fixture.join(file), dir.path().join(file)).unwrap();
        }
        let text = Text::from_folder(dir.path()).unwrap().unwrap();
        let whole = dir.path().join(TOKENIZER);
        let alone = || {
            Text::from_file(&whole)
                .unwrap()
                .encode("Hello worlds")
                .unwrap()
        };
        let read = text.encode("Hello worlds").unwrap();
        assert_ne!(alone(), read);
        text.write_whole(dir.path()).unwrap();
        assert_eq!(alone(), read);
        let written = std::fs::read(&whole).unwrap();
        let again = Text::from_folder(dir.path()).unwrap().unwrap();
        assert_eq!(again.encode("Hello worlds").unwrap(), read);
        again.write_whole(dir.path()).unwrap();
        assert_eq!(std::fs::read(&whole).unwrap(), written);
    }

    #[test]
    fn complete_folders_stay_as_they_are() {
        let (dir, text) = folder(Some("{}"));
        std::fs::write(dir.path().join(TOKENIZER), "kept").unwrap();
        text.write_whole(dir.path()).unwrap();
        let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
        assert_eq!(
            (read(TOKENIZER), read(TOKENIZER_CONFIG)),
            ("kept".into(), "{}".into())
        );
    }
}
