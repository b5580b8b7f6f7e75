//! Special tokens by what they are for, and tokens as texts of their own.

use serde_json::Value;
use tokenizers::Decoder;

use super::settings::TokenizerSettings;
use super::whole::USUAL;
use super::{Kind, Text};
use crate::error::{Error, Result};

/// Tokenizers whose `model_input_names` have token types.
const TYPED: [&str; 2] = ["BertTokenizer", "ElectraTokenizer"];
/// Models whose tokenizer is one of those where nothing names it.
const TYPED_MODELS: [&str; 2] = ["bert", "electra"];

impl Text {
    /// The number of the special token `role` (`mask_token`, `pad_token`, …): the one that
    /// `tokenizer_config.json` names, else what published vocabularies have for it.
    ///
    /// # Errors
    /// When that file cannot be read.
    pub fn special(&self, role: &str) -> Result<Option<u32>> {
        let Kind::Tokenizer {
            tokenizer, files, ..
        } = &self.0
        else {
            return Ok(None);
        };
        let folder = files.first().and_then(|file| file.parent());
        let settings = folder.map(TokenizerSettings::read).transpose()?;
        if let Some(name) = settings.as_ref().and_then(|settings| settings.token(role)) {
            return Ok(tokenizer.token_to_id(name));
        }
        let added = tokenizer.get_added_vocabulary().get_added_tokens_decoder();
        let special = |name: &&&str| added.values().any(|t| t.special && t.content == **name);
        let usual = USUAL.iter().find(|(key, _)| *key == role);
        let mut found = usual.and_then(|(_, names)| names.iter().find(special));
        // RoBERTa's kin classify by what begins a text.
        if role == "cls_token" && found.is_none() && special(&&"<mask>") {
            found = Some(&"<s>").filter(|name| special(&&**name));
        }
        Ok(found.and_then(|name| tokenizer.token_to_id(name)))
    }

    /// Whether transformers (5.24) tells a model of the type `model_type` which of two texts a
    /// token is of: where `model_input_names` says so, or else the class of the tokenizer is BERT's.
    ///
    /// # Errors
    /// When `tokenizer_config.json` cannot be read.
    pub fn types_tokens(&self, model_type: Option<&str>) -> Result<bool> {
        let folder = self.files().first().and_then(|file| file.parent());
        let settings = folder.map(TokenizerSettings::read).transpose()?;
        let settings = settings.unwrap_or_default();
        if let Some(names) = settings.texts("model_input_names") {
            return Ok(names.iter().any(|name| name == "token_type_ids"));
        }
        Ok(
            match settings.get("tokenizer_class").and_then(Value::as_str) {
                Some(class) => TYPED.contains(&class.strip_suffix("Fast").unwrap_or(class)),
                None => model_type.is_some_and(|name| TYPED_MODELS.contains(&name)),
            },
        )
    }

    /// The most tokens that `tokenizer_config.json` says the model reads, where it does.
    ///
    /// # Errors
    /// When that file cannot be read.
    pub fn longest(&self) -> Result<Option<usize>> {
        let folder = self.files().first().and_then(|file| file.parent());
        let settings = folder.map(TokenizerSettings::read).transpose()?;
        // transformers writes 1e30 where it knows of none.
        let most = settings.and_then(|settings| settings.get("model_max_length")?.as_u64());
        Ok(most.and_then(|most| usize::try_from(most).ok()))
    }

    /// The token `id` as the vocabulary has it: `##s`, `Ġthe`.
    pub fn token(&self, id: u32) -> Option<String> {
        match &self.0 {
            Kind::Bytes => u8::try_from(id)
                .ok()
                .map(|byte| char::from(byte).to_string()),
            Kind::Tokenizer { tokenizer, .. } => tokenizer.id_to_token(id),
        }
    }

    /// Tokens of the vocabulary as one text (transformers' `convert_tokens_to_string`).
    ///
    /// # Errors
    /// When the tokenizer fails.
    pub fn joined(&self, tokens: Vec<String>) -> Result<String> {
        match &self.0 {
            Kind::Bytes => Ok(tokens.concat()),
            Kind::Tokenizer { tokenizer, .. } => match tokenizer.get_decoder() {
                Some(decoder) => decoder
                    .decode(tokens)
                    .map_err(|e| Error::Text(e.to_string())),
                None => Ok(tokens.join(" ")),
            },
        }
    }

    /// [`Text::decode`], the special tokens left in.
    ///
    /// # Errors
    /// As [`Text::decode`].
    pub fn decode_with_special(&self, tokens: &[u32]) -> Result<String> {
        match &self.0 {
            Kind::Bytes => self.decode(tokens),
            Kind::Tokenizer { tokenizer, .. } => tokenizer
                .decode(tokens, false)
                .map_err(|e| Error::Text(e.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::Path;

    use super::*;

    #[test]
    fn special_tokens_are_found_by_what_they_are_for() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/text");
        let text = |name: &str| Text::from_folder(&folder.join(name)).unwrap().unwrap();
        for (name, role, token) in [
            ("bert", "mask_token", Some("[MASK]")),
            ("bert", "bos_token", None),
            ("roberta", "mask_token", Some("<mask>")),
            ("roberta", "pad_token", Some("<pad>")),
            ("roberta", "cls_token", Some("<s>")),
            ("gpt2", "mask_token", None),
        ] {
            let text = text(name);
            let found = text.special(role).unwrap();
            let found = found.and_then(|id| text.token(id));
            assert_eq!(found.as_deref(), token, "{name} {role}");
        }
        // What the file names counts, whatever is usual.
        let dir = tempfile::tempdir().unwrap();
        let vocab = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n[HOLE]\na\n";
        std::fs::write(dir.path().join("vocab.txt"), vocab).unwrap();
        let settings = r#"{"mask_token": "[HOLE]", "model_max_length": 1e30}"#;
        std::fs::write(dir.path().join("tokenizer_config.json"), settings).unwrap();
        let text = Text::from_folder(dir.path()).unwrap().unwrap();
        assert_eq!(text.special("mask_token").unwrap(), Some(5));
        assert_eq!(text.longest().unwrap(), None);
        assert_eq!(Text::bytes().special("mask_token").unwrap(), None);
    }

    /// By `AutoTokenizer.from_pretrained(DIR).model_input_names`.
    #[test]
    fn token_types_are_given_as_transformers_gives_them() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("vocab.txt"), "[UNK]\n[CLS]\n[SEP]\na\n").unwrap();
        let typed = |settings: &str, model: &str| {
            std::fs::write(dir.path().join("tokenizer_config.json"), settings).unwrap();
            let text = Text::from_folder(dir.path()).unwrap().unwrap();
            text.types_tokens(Some(model)).unwrap()
        };
        let class = |name: &str| format!(r#"{{"tokenizer_class": "{name}"}}"#);
        for (settings, model, given) in [
            ("{}", "bert", true),
            ("{}", "albert", false),
            (&class("BertTokenizerFast"), "bert", true),
            (&class("DistilBertTokenizer"), "bert", false),
            (&class("PreTrainedTokenizerFast"), "bert", false),
            (r#"{"model_input_names": ["input_ids"]}"#, "bert", false),
            (
                r#"{"model_input_names": ["input_ids", "token_type_ids"]}"#,
                "albert",
                true,
            ),
        ] {
            assert_eq!(typed(settings, model), given, "{settings} {model}");
        }
    }
}
