//! Byte-level byte-pair tokenizers out of `vocab.json` and `merges.txt`: GPT-2's and RoBERTa's.

use std::path::Path;

use serde_json::{Map, Value, json};
use tokenizers::Tokenizer;

use super::settings::{TokenizerSettings, read_object};
use crate::error::{Error, Result};

/// Classes of transformers that set nothing around a text unless they are told to.
const GPT2: [&str; 1] = ["GPT2Tokenizer"];
/// Classes that set `<s>` and `</s>` around it.
const ROBERTA: [&str; 4] = [
    "BartTokenizer",
    "LEDTokenizer",
    "LongformerTokenizer",
    "RobertaTokenizer",
];

/// The special tokens that have a name.
const NAMES: [&str; 7] = [
    "bos_token",
    "eos_token",
    "unk_token",
    "sep_token",
    "pad_token",
    "cls_token",
    "mask_token",
];

/// The tokenizer with the tokens of one file and the merges of the other, and its special
/// tokens.
pub(super) fn read(
    vocab_path: &Path,
    merges_path: &Path,
    settings: &TokenizerSettings,
) -> Result<(Tokenizer, Vec<String>)> {
    let vocab = read_object(vocab_path)?;
    let roberta = match settings.token_class() {
        Some(class) if GPT2.contains(&class) => false,
        Some(class) if ROBERTA.contains(&class) => true,
        Some(class) => return Err(settings.unsupported(vocab_path, class)),
        // No class is named: only one of the two has these tokens.
        None => vocab.contains_key("<s>") && vocab.contains_key("</s>"),
    };
    let merges = merges(merges_path, &vocab)?;

    let token = |key: &str| {
        let default = match (key, roberta) {
            ("bos_token" | "cls_token", true) => "<s>",
            ("eos_token" | "sep_token", true) => "</s>",
            ("unk_token", true) => "<unk>",
            ("pad_token", true) => "<pad>",
            ("mask_token", true) => "<mask>",
            ("bos_token" | "eos_token" | "unk_token", false) => "<|endoftext|>",
            _ => "",
        };
        settings.token(key).unwrap_or(default).to_string()
    };
    let number = |token: &str| {
        vocab
            .get(token)
            .cloned()
            .ok_or_else(|| Error::malformed(vocab_path, format!("the vocabulary has no `{token}`")))
    };
    let prefix = settings.flag("add_prefix_space").unwrap_or(false);
    let byte_level = json!({
        "type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": true, "use_regex": true,
    });
    let around = if roberta {
        let (sep, cls) = (token("sep_token"), token("cls_token"));
        json!({
            "type": "RobertaProcessing",
            "sep": [sep, number(&sep)?],
            "cls": [cls, number(&cls)?],
            "trim_offsets": true,
            "add_prefix_space": prefix,
        })
    } else {
        // As RoBERTa's, but with either end alone.
        let mut single = vec![json!({"Sequence": {"id": "A", "type_id": 0}})];
        let mut specials = Map::new();
        let mut set = |key: &str, at: usize| -> Result<()> {
            let token = token(key);
            let number = number(&token)?;
            single.insert(at, json!({"SpecialToken": {"id": token, "type_id": 0}}));
            specials.insert(
                token.clone(),
                json!({"id": token, "ids": [number], "tokens": [token]}),
            );
            Ok(())
        };
        if settings.flag("add_eos_token") == Some(true) {
            set("eos_token", 1)?;
        }
        if settings.flag("add_bos_token") == Some(true) {
            set("bos_token", 0)?;
        }
        json!({
            "type": "TemplateProcessing",
            "single": single,
            "pair": [
                {"Sequence": {"id": "A", "type_id": 0}},
                {"Sequence": {"id": "B", "type_id": 1}},
            ],
            "special_tokens": specials,
        })
    };
    let description = json!({
        "pre_tokenizer": byte_level,
        "post_processor": around,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "vocab": vocab,
            "merges": merges,
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "",
            "fuse_unk": false,
        },
    });
    let tokenizer = super::parse(description.to_string().as_bytes())
        .map_err(|reason| Error::malformed(vocab_path, format!("not a vocabulary ({reason})")))?;
    Ok((tokenizer, NAMES.map(token).into()))
}

/// The pairs of a `merges.txt`, checked against the vocabulary: the library panics where the
/// result of one is no token.
fn merges(path: &Path, vocab: &Map<String, Value>) -> Result<Vec<[String; 2]>> {
    let text = std::fs::read_to_string(path).map_err(|e| Error::io(path, e))?;
    let mut merges = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.starts_with("#version") || line.trim().is_empty() {
            continue;
        }
        let pair = line
            .split_once(' ')
            .filter(|(_, right)| !right.contains(' '));
        let Some((left, right)) = pair else {
            return Err(Error::malformed(
                path,
                format!("line {} is not two tokens", index + 1),
            ));
        };
        for token in [left, right, &format!("{left}{right}")] {
            if !vocab.contains_key(token) {
                return Err(Error::malformed(
                    path,
                    format!("line {}: `{token}` is not in vocab.json", index + 1),
                ));
            }
        }
        merges.push([left.to_string(), right.to_string()]);
    }
    Ok(merges)
}
