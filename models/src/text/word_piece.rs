//! Tokenizers out of a `vocab.txt`: BERT's WordPiece, and the SMILES tokenizer that shares its
//! file layout.

use std::path::Path;

use serde_json::{Map, Value, json};
use tokenizers::Tokenizer;

use super::settings::TokenizerSettings;
use crate::error::{Error, Result};

/// Classes of transformers that are BERT's tokenizer by another name.
const BERT: [&str; 6] = [
    "BertTokenizer",
    "DistilBertTokenizer",
    "DPRQuestionEncoderTokenizer",
    "ElectraTokenizer",
    "MobileBertTokenizer",
    "RetriBertTokenizer",
];
/// Where SMILES text is cut (Schwaller et al. 2019, "Molecular Transformer"), as rxnfp 0.1.0
/// has it: atoms, bonds, branches, rings.
const SMILES: &str = r"\%\([0-9]{3}\)|\[[^\]]+]|Br?|Cl?|N|O|S|P|F|I|b|c|n|o|s|p|\||\(|\)|\.|=|#|-|\+|\\|\/|:|~|@|\?|>>?|\*|\$|\%[0-9]{2}|[0-9]";

/// The tokenizer whose tokens are the lines of the file at `path`, and its special tokens.
pub(super) fn read(path: &Path, settings: &TokenizerSettings) -> Result<(Tokenizer, Vec<String>)> {
    if let Some(class) = settings.token_class()
        && !BERT.contains(&class)
        && class != "SmilesTokenizer"
    {
        return Err(settings.unsupported(path, class));
    }
    let text = std::fs::read_to_string(path).map_err(|e| Error::io(path, e))?;
    let vocab = vocabulary(&text);

    let token = |key: &str, default: &str| settings.token(key).unwrap_or(default).to_string();
    let number = |token: &str| {
        vocab.get(token).cloned().ok_or_else(|| {
            Error::malformed(
                path,
                format!("the vocabulary has no `{token}`, so it is not BERT's"),
            )
        })
    };
    let (unknown, sep, cls) = (
        token("unk_token", "[UNK]"),
        token("sep_token", "[SEP]"),
        token("cls_token", "[CLS]"),
    );
    number(&unknown)?;
    let around = json!({
        "type": "BertProcessing", "sep": [&sep, number(&sep)?], "cls": [&cls, number(&cls)?],
    });
    let description = if is_smiles(&vocab) {
        json!({
            "pre_tokenizer": {
                "type": "Split", "pattern": {"Regex": SMILES}, "behavior": "Removed", "invert": true,
            },
            "post_processor": around,
            "decoder": {"type": "Fuse"},
            "model": {"type": "WordLevel", "vocab": vocab, "unk_token": &unknown},
        })
    } else {
        json!({
            "normalizer": {
                "type": "BertNormalizer",
                "clean_text": true,
                "handle_chinese_chars": settings.flag("tokenize_chinese_chars").unwrap_or(true),
                "strip_accents": settings.flag("strip_accents"),
                "lowercase": settings.flag("do_lower_case").unwrap_or(true),
            },
            "pre_tokenizer": {"type": "BertPreTokenizer"},
            "post_processor": around,
            "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
            "model": {
                "type": "WordPiece",
                "vocab": vocab,
                "unk_token": &unknown,
                "continuing_subword_prefix": "##",
                "max_input_chars_per_word": 100,
            },
        })
    };
    let tokenizer = super::parse(description.to_string().as_bytes())
        .map_err(|reason| Error::malformed(path, format!("not a vocabulary ({reason})")))?;
    let (pad, mask) = (token("pad_token", "[PAD]"), token("mask_token", "[MASK]"));
    Ok((tokenizer, vec![unknown, sep, pad, cls, mask]))
}

/// Lines by number, cut as Python cuts them.
fn vocabulary(text: &str) -> Map<String, Value> {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let text = text.strip_suffix('\n').unwrap_or(&text);
    text.split('\n')
        .enumerate()
        .map(|(number, line)| (line.to_string(), Value::from(number)))
        .collect()
}

/// Whether the tokens are those of molecules: no pieces of words, but bonds and aromatic
/// atoms. rxnfp's checkpoints say nothing else about their tokenizer.
fn is_smiles(vocab: &Map<String, Value>) -> bool {
    let has = |token: &str| vocab.contains_key(token);
    ["C", "c", "=", "(", "[nH]"].into_iter().all(has)
        && !vocab.keys().any(|token| token.starts_with("##"))
}
