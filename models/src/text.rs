//! Text to token numbers and back.

mod added;
mod bpe;
mod reading;
pub(crate) mod settings;
mod special;
mod stream;
mod whole;
mod word_piece;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use tokenizers::Tokenizer;

use crate::error::{Error, Result};
use settings::TokenizerSettings;

pub use reading::{Place, Reading};
pub use stream::TextStream;

/// The tokenizer of a checkpoint.
const TOKENIZER: &str = "tokenizer.json";

/// How a model reads text.
#[derive(Debug, Clone)]
pub struct Text(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Bytes,
    Tokenizer {
        tokenizer: Box<Tokenizer>,
        files: Vec<PathBuf>,
    },
}

impl Text {
    /// A token is a byte of UTF-8.
    pub fn bytes() -> Self {
        Self(Kind::Bytes)
    }

    /// The tokenizer in a `tokenizer.json`. As in transformers, it neither pads nor cuts,
    /// whatever the file says.
    ///
    /// # Errors
    /// When the file is missing or is not one.
    pub fn from_file(path: &Path) -> Result<Self> {
        let tokenizer = read(path)?;
        Ok(Self(Kind::Tokenizer {
            tokenizer: Box::new(tokenizer),
            files: vec![path.to_path_buf()],
        }))
    }

    /// The tokenizer of the checkpoint in `dir`: `tokenizer.json`; or WordPiece from
    /// `vocab.txt`, as BERT has it; or byte-level pairs from `vocab.json` and `merges.txt`, as
    /// GPT-2 and RoBERTa have them. The special tokens are also those that
    /// `tokenizer_config.json`, `special_tokens_map.json` and `added_tokens.json` name.
    ///
    /// # Errors
    /// When a file is not what it should be, or `tokenizer_config.json` names a class of
    /// tokenizer that its files alone do not determine.
    pub fn from_folder(dir: &Path) -> Result<Option<Self>> {
        let settings = TokenizerSettings::read(dir)?;
        let file = |name: &str| Some(dir.join(name)).filter(|path| path.exists());
        let ((mut tokenizer, names), mut files) = if let Some(path) = file(TOKENIZER) {
            ((read(&path)?, Vec::new()), vec![path])
        } else if let Some(path) = file("vocab.txt") {
            (word_piece::read(&path, &settings)?, vec![path])
        } else if let (Some(vocab), Some(merges)) = (file("vocab.json"), file("merges.txt")) {
            (bpe::read(&vocab, &merges, &settings)?, vec![vocab, merges])
        } else {
            return Ok(None);
        };
        let further = file("added_tokens.json");
        added::add(&mut tokenizer, &settings, further.as_deref(), names)?;
        files.extend(further);
        files.extend(settings.files);
        files.extend(
            ["chat_template.jinja", "chat_template.json"]
                .into_iter()
                .filter_map(file),
        );
        Ok(Some(Self(Kind::Tokenizer {
            tokenizer: Box::new(tokenizer),
            files,
        })))
    }

    /// Whether a token is a byte.
    pub fn is_bytes(&self) -> bool {
        matches!(self.0, Kind::Bytes)
    }

    /// The files that this was read from, the chat template's included: what a copy of the
    /// checkpoint needs.
    pub fn files(&self) -> &[PathBuf] {
        match &self.0 {
            Kind::Bytes => &[],
            Kind::Tokenizer { files, .. } => files,
        }
    }

    /// How many tokens there are, added ones included.
    pub fn vocab_size(&self) -> usize {
        match &self.0 {
            Kind::Bytes => 256,
            Kind::Tokenizer { tokenizer, .. } => tokenizer.get_vocab_size(true),
        }
    }

    /// Token numbers of `text`, with the tokens that the tokenizer sets around it.
    ///
    /// # Errors
    /// When the tokenizer refuses the text.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        self.encode_with(text, true)
    }

    /// Token numbers of `text` alone: for text that has those tokens already, as a chat
    /// template writes it. Special tokens within the text are single tokens here too.
    ///
    /// # Errors
    /// When the tokenizer refuses the text.
    pub fn encode_without_special(&self, text: &str) -> Result<Vec<u32>> {
        self.encode_with(text, false)
    }

    fn encode_with(&self, text: &str, around: bool) -> Result<Vec<u32>> {
        match &self.0 {
            Kind::Bytes => Ok(text.bytes().map(u32::from).collect()),
            Kind::Tokenizer { tokenizer, .. } => tokenizer
                .encode(text, around)
                .map(|encoding| encoding.get_ids().to_vec())
                .map_err(|e| Error::Text(e.to_string())),
        }
    }

    /// The text of `tokens`, special tokens and numbers that a tokenizer does not know left
    /// out. Bytes that are not UTF-8 become the replacement character.
    ///
    /// # Errors
    /// When a number is no byte, where tokens are bytes, or the tokenizer fails.
    pub fn decode(&self, tokens: &[u32]) -> Result<String> {
        match &self.0 {
            Kind::Bytes => {
                let bytes: Vec<u8> = tokens.iter().map(|&t| byte(t)).collect::<Result<_>>()?;
                Ok(String::from_utf8_lossy(&bytes).into_owned())
            }
            Kind::Tokenizer { tokenizer, .. } => tokenizer
                .decode(tokens, true)
                .map_err(|e| Error::Text(e.to_string())),
        }
    }

    /// Decodes token by token: what [`Text::decode`] gives for all of them, piece by piece.
    pub fn stream(&self) -> TextStream<'_> {
        TextStream::new(self)
    }
}

/// The byte that is the token.
fn byte(token: u32) -> Result<u8> {
    u8::try_from(token).map_err(|_| Error::Text(format!("token {token} is not a byte")))
}

/// Reads a `tokenizer.json`.
fn read(path: &Path) -> Result<Tokenizer> {
    let json = std::fs::read(path).map_err(|e| Error::io(path, e))?;
    let mut tokenizer = parse(&json)
        .map_err(|reason| Error::malformed(path, format!("not a tokenizer ({reason})")))?;
    tokenizer.with_padding(None);
    tokenizer
        .with_truncation(None)
        .map_err(|e| Error::malformed(path, e))?;
    Ok(tokenizer)
}

/// The tokenizer that `json` describes. The library panics at some descriptions, such as a
/// merge whose result is no token.
fn parse(json: &[u8]) -> std::result::Result<Tokenizer, String> {
    catch_unwind(AssertUnwindSafe(|| Tokenizer::from_bytes(json)))
        .map_err(|_| "its parts do not fit together".to_string())?
        .map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests;
