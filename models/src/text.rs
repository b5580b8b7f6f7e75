//! Text to token numbers and back.

use std::path::{Path, PathBuf};

use tokenizers::Tokenizer;

use crate::error::{Error, Result};

/// How a model reads text.
#[derive(Debug, Clone)]
pub struct Text(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Bytes,
    Tokenizer {
        tokenizer: Box<Tokenizer>,
        path: PathBuf,
    },
}

impl Text {
    /// A token is a byte of UTF-8.
    pub fn bytes() -> Self {
        Self(Kind::Bytes)
    }

    /// The tokenizer in a `tokenizer.json`.
    ///
    /// # Errors
    /// When the file is missing or is not one.
    pub fn from_file(path: &Path) -> Result<Self> {
        if !path.is_file() {
            let missing = std::io::Error::from(std::io::ErrorKind::NotFound);
            return Err(Error::io(path, missing));
        }
        let tokenizer = Tokenizer::from_file(path)
            .map_err(|e| Error::malformed(path, format!("not a tokenizer ({e})")))?;
        Ok(Self(Kind::Tokenizer {
            tokenizer: Box::new(tokenizer),
            path: path.to_path_buf(),
        }))
    }

    /// Whether a token is a byte.
    pub fn is_bytes(&self) -> bool {
        matches!(self.0, Kind::Bytes)
    }

    /// The `tokenizer.json` that this was read from.
    pub fn path(&self) -> Option<&Path> {
        match &self.0 {
            Kind::Bytes => None,
            Kind::Tokenizer { path, .. } => Some(path),
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
        match &self.0 {
            Kind::Bytes => Ok(text.bytes().map(u32::from).collect()),
            Kind::Tokenizer { tokenizer, .. } => tokenizer
                .encode(text, true)
                .map(|encoding| encoding.get_ids().to_vec())
                .map_err(|e| Error::Text(e.to_string())),
        }
    }

    /// The text of `tokens`. Bytes that are not UTF-8 become the replacement character.
    ///
    /// # Errors
    /// When a number is no token.
    pub fn decode(&self, tokens: &[u32]) -> Result<String> {
        match &self.0 {
            Kind::Bytes => {
                let bytes: Vec<u8> = tokens
                    .iter()
                    .map(|&token| {
                        u8::try_from(token)
                            .map_err(|_| Error::Text(format!("token {token} is not a byte")))
                    })
                    .collect::<Result<_>>()?;
                Ok(String::from_utf8_lossy(&bytes).into_owned())
            }
            Kind::Tokenizer { tokenizer, .. } => tokenizer
                .decode(tokens, true)
                .map_err(|e| Error::Text(e.to_string())),
        }
    }
}
