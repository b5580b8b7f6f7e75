//! The parts of a tokenizer, as `tokenizer.json` writes them.

use serde_json::{Map, Value, json};

use super::class::Class;
use super::settings::{TokenizerSettings, content};

/// Where Qwen 2's texts are cut.
pub(super) const QWEN2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// Where CLIP's are.
pub(super) const CLIP: &str =
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";

/// All parts of a tokenizer; null for one that it has not.
pub(super) struct Parts {
    pub model: Value,
    pub normalizer: Value,
    pub before: Value,
    pub decoder: Value,
    pub around: Value,
}

impl Parts {
    /// The file without added tokens.
    pub fn into_file(self) -> Value {
        json!({
            "added_tokens": [],
            "normalizer": self.normalizer,
            "pre_tokenizer": self.before,
            "post_processor": self.around,
            "decoder": self.decoder,
            "model": self.model,
        })
    }
}

/// What a class makes a tokenizer of.
pub(super) struct Given<'a> {
    pub class: Class,
    pub file: &'a Value,
    pub settings: &'a TokenizerSettings,
}

impl Given<'_> {
    /// The special token that is `key`.
    pub fn name(&self, key: &str) -> String {
        let usual = self.class.names().iter().find(|(known, _)| *known == key);
        let usual = usual.map_or("", |(_, usual)| usual);
        self.settings.token(key).unwrap_or(usual).to_string()
    }

    /// The number of a token, or of the one that stands for unknown ones.
    fn number(&self, token: &str) -> Value {
        let unknown = self.name("unk_token");
        let found = [token, &unknown]
            .into_iter()
            .find_map(|token| self.in_vocabulary(token).or_else(|| self.in_added(token)));
        found.map_or(json!(0), |number| json!(number))
    }

    fn in_vocabulary(&self, token: &str) -> Option<u64> {
        match &self.file["model"]["vocab"] {
            Value::Object(vocab) => vocab.get(token)?.as_u64(),
            Value::Array(vocab) => (0..)
                .zip(vocab)
                .find(|(_, entry)| entry[0] == token)
                .map(|(number, _)| number),
            _ => None,
        }
    }

    fn in_added(&self, token: &str) -> Option<u64> {
        if let Some(Value::Object(decoder)) = self.settings.get("added_tokens_decoder") {
            let mut entries = decoder.iter();
            let found = entries.find(|(_, value)| content(value) == Some(token));
            return found?.0.parse().ok();
        }
        let added = self.file["added_tokens"].as_array()?;
        let found = added.iter().find(|value| value["content"] == token);
        found?["id"].as_u64()
    }

    /// Where in the vocabulary a special token stands, or its first place.
    pub fn place_of(&self, key: &str) -> u64 {
        self.in_vocabulary(&self.name(key)).unwrap_or_default()
    }

    /// What the file sets around a text.
    pub fn around(&self) -> Value {
        self.file["post_processor"].clone()
    }

    /// The vocabulary by token; that of scored pieces by their places.
    fn by_token(&self) -> Result<Value, String> {
        match &self.file["model"]["vocab"] {
            Value::Object(vocab) => Ok(Value::Object(vocab.clone())),
            Value::Array(vocab) => {
                let mut map = Map::new();
                for (number, entry) in (0u64..).zip(vocab) {
                    let token = entry[0].as_str().ok_or("its vocabulary has no tokens")?;
                    map.insert(token.to_string(), json!(number));
                }
                Ok(Value::Object(map))
            }
            _ => Err("it has no vocabulary".into()),
        }
    }

    /// A model of word pieces.
    pub fn word_piece(&self) -> Result<Value, String> {
        Ok(json!({
            "type": "WordPiece",
            "vocab": self.by_token()?,
            "unk_token": self.name("unk_token"),
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
        }))
    }

    /// A model of byte pairs with the file's merges and `more`.
    pub fn pairs(&self, more: Value) -> Result<Value, String> {
        let merges = match &self.file["model"]["merges"] {
            Value::Null => json!([]),
            merges => merges.clone(),
        };
        let mut model = json!({"type": "BPE", "vocab": self.by_token()?, "merges": merges});
        if let (Value::Object(model), Value::Object(more)) = (&mut model, more) {
            model.extend(more);
        }
        Ok(model)
    }

    /// A model of scored pieces, whose unknown one is number `unknown`.
    pub fn unigram(&self, unknown: u64) -> Result<Value, String> {
        match &self.file["model"]["vocab"] {
            Value::Array(vocab) => Ok(json!({
                "type": "Unigram", "vocab": vocab, "unk_id": unknown, "byte_fallback": false,
            })),
            _ => Err("its vocabulary has no scores, which the tokenizer_class needs".into()),
        }
    }

    /// GPT-2's tokenizer.
    pub fn byte_level(&self, prefix: bool) -> Result<Parts, String> {
        Ok(Parts {
            model: self.pairs(json!({
                "continuing_subword_prefix": "", "end_of_word_suffix": "", "fuse_unk": false,
            }))?,
            normalizer: Value::Null,
            before: bytes(prefix, true),
            decoder: bytes(true, true),
            around: self.around(),
        })
    }

    /// SentencePiece's table of characters, where the file has one.
    pub fn charsmap(&self) -> Value {
        let normalizer = &self.file["normalizer"];
        let steps = match normalizer["normalizers"].as_array() {
            Some(steps) => steps.as_slice(),
            None => std::slice::from_ref(normalizer),
        };
        let found = steps.iter().find(|step| step["type"] == "Precompiled");
        found.cloned().unwrap_or_default()
    }

    /// ALBERT's normalizers.
    pub fn albert(&self) -> Value {
        let flag = |key: &str, usual: bool| self.settings.flag(key).unwrap_or(usual);
        let quote =
            |from: &str| json!({"type": "Replace", "pattern": {"String": from}, "content": "\""});
        let mut steps = vec![quote("``"), quote("''")];
        if !flag("keep_accents", false) {
            steps.extend([json!({"type": "NFKD"}), json!({"type": "StripAccents"})]);
        }
        if flag("do_lower_case", true) {
            steps.push(json!({"type": "Lowercase"}));
        }
        steps.extend(Some(self.charsmap()).filter(|step| !step.is_null()));
        json!({"type": "Sequence", "normalizers": steps})
    }

    /// A text between the tokens that are `first` and `last`; a second one is of another type.
    pub fn between(&self, first: &str, last: &str) -> Value {
        let (first, last) = ([self.name(first)], [self.name(last)]);
        self.template(&first, &last, &last, 1)
    }

    /// The same with two of `last` between two texts, and one type.
    pub fn between_twice(&self, first: &str, last: &str) -> Value {
        let (first, last) = ([self.name(first)], [self.name(last)]);
        let twice = last.clone().into_iter().chain(last.clone());
        self.template(&first, &last, &twice.collect::<Vec<_>>(), 0)
    }

    /// A text with `token` behind it, which has the number of the one that is `key`.
    pub fn behind(&self, token: &str, key: &str) -> Value {
        let number = self.number(&self.name(key));
        let behind = [token.to_string()];
        let mut template = self.template(&[], &behind, &behind, 0);
        template["special_tokens"][token]["ids"] = json!([number]);
        template
    }

    /// What Whisper's texts start from, and their end.
    pub fn whisper(&self) -> Result<Value, String> {
        if self.settings.get("language").is_some() {
            return Err("`language` in tokenizer_config.json is not supported; take it out".into());
        }
        let mut before = vec!["<|startoftranscript|>".to_string()];
        if let Some(task) = self.settings.get("task").and_then(Value::as_str) {
            before.push(format!("<|{task}|>"));
        }
        if !self.settings.flag("predict_timestamps").unwrap_or(false) {
            before.push("<|notimestamps|>".into());
        }
        Ok(self.template(&before, &[self.name("eos_token")], &[], 1))
    }

    /// A text, or two of them with `amid` between them, and what is before and behind. The second
    /// one and what is behind it then are of type `second`.
    fn template(&self, before: &[String], behind: &[String], amid: &[String], second: u8) -> Value {
        let special =
            |token: &String, kind: u8| json!({"SpecialToken": {"id": token, "type_id": kind}});
        let sequence = |id: &str, kind: u8| json!({"Sequence": {"id": id, "type_id": kind}});
        let first: Vec<Value> = before
            .iter()
            .map(|token| special(token, 0))
            .chain([sequence("A", 0)])
            .collect();
        let single = first.iter().cloned();
        let single: Vec<Value> = single
            .chain(behind.iter().map(|token| special(token, 0)))
            .collect();
        let pair: Vec<Value> = first
            .into_iter()
            .chain(amid.iter().map(|token| special(token, 0)))
            .chain([sequence("B", second)])
            .chain(behind.iter().map(|token| special(token, second)))
            .collect();
        let mut tokens = Map::new();
        for token in before.iter().chain(behind) {
            let number = self.number(token);
            tokens.insert(
                token.clone(),
                json!({"id": token, "ids": [number], "tokens": [token]}),
            );
        }
        json!({
            "type": "TemplateProcessing",
            "single": single,
            "pair": pair,
            "special_tokens": tokens,
        })
    }

    /// RoBERTa's way of setting tokens around a text.
    pub fn roberta(&self, first: &str, last: &str, trim: bool, prefix: bool) -> Value {
        let pair = |key: &str| {
            let name = self.name(key);
            let number = self.number(&name);
            json!([name, number])
        };
        json!({
            "type": "RobertaProcessing",
            "sep": pair(last),
            "cls": pair(first),
            "trim_offsets": trim,
            "add_prefix_space": prefix,
        })
    }
}

/// BERT's normalizer.
pub(super) fn bert(settings: &TokenizerSettings) -> Value {
    json!({
        "type": "BertNormalizer",
        "clean_text": true,
        "handle_chinese_chars": settings.flag("tokenize_chinese_chars").unwrap_or(true),
        "strip_accents": settings.flag("strip_accents"),
        "lowercase": settings.flag("do_lower_case").unwrap_or(true),
    })
}

/// Bytes as characters.
fn bytes(prefix: bool, words: bool) -> Value {
    json!({
        "type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": true, "use_regex": words,
    })
}

/// Bytes of what a pattern cuts.
pub(super) fn split_bytes(
    pattern: &str,
    behavior: &str,
    invert: bool,
    prefix: bool,
    words: bool,
) -> Value {
    let split = json!({
        "type": "Split", "pattern": {"Regex": pattern}, "behavior": behavior, "invert": invert,
    });
    json!({"type": "Sequence", "pretokenizers": [split, bytes(prefix, words)]})
}

/// Spaces as SentencePiece writes them.
pub(super) fn metaspace(scheme: &str, split: bool) -> Value {
    json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": split})
}

/// Words, each with its space.
pub(super) fn words(scheme: &str) -> Value {
    json!({
        "type": "Sequence",
        "pretokenizers": [{"type": "WhitespaceSplit"}, metaspace(scheme, true)],
    })
}

/// How such spaces and bytes become text.
pub(super) fn spaces() -> Vec<Value> {
    vec![
        json!({"type": "Replace", "pattern": {"String": "▁"}, "content": " "}),
        json!({"type": "ByteFallback"}),
        json!({"type": "Fuse"}),
    ]
}
