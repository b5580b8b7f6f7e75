//! Text to token numbers and back.

mod added;
mod bpe;
mod class;
mod classes;
mod decoding;
mod parts;
mod reading;
pub(crate) mod settings;
mod special;
mod stream;
mod whole;
mod word_piece;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use tokenizers::{AddedToken, Tokenizer};

use crate::config::CONFIG;
use crate::error::{Error, Result};
use class::Class;
use decoding::Decoding;
use settings::{TokenizerSettings, read_object};

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
        decoding: Decoding,
        from: From,
        files: Vec<PathBuf>,
    },
}

/// What a tokenizer was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    /// A `tokenizer.json` alone.
    File,
    /// The files of a checkpoint, which say all that there is to say.
    Folder,
    /// Those, of whose `tokenizer.json` a class of transformers made something else.
    Class,
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
        let tokenizer = parsed(path, &bytes(path)?)?;
        Ok(Self(Kind::Tokenizer {
            tokenizer: Box::new(tokenizer),
            decoding: Decoding::default(),
            from: From::File,
            files: vec![path.to_path_buf()],
        }))
    }

    /// The tokenizer of the checkpoint in `dir`: `tokenizer.json`, as transformers' class for it
    /// takes it; or WordPiece from `vocab.txt`, as BERT has it; or byte-level pairs from
    /// `vocab.json` and `merges.txt`, as GPT-2 and RoBERTa have them. The special tokens are also
    /// those that `tokenizer_config.json`, `special_tokens_map.json` and `added_tokens.json`
    /// name.
    ///
    /// # Errors
    /// When a file is not what it should be, or `tokenizer_config.json` names a class of
    /// tokenizer that its files alone do not determine.
    pub fn from_folder(dir: &Path) -> Result<Option<Self>> {
        let settings = TokenizerSettings::read(dir)?;
        let file = |name: &str| Some(dir.join(name)).filter(|path| path.exists());
        let (mut tokenizer, mut names, mut class, mut own) = (None, Vec::new(), None, Vec::new());
        let mut files = Vec::new();
        let special = |names: Vec<String>| {
            let names = names.into_iter();
            names.map(|name| AddedToken::from(name, true)).collect()
        };
        if let Some(path) = file(TOKENIZER) {
            let whole = Whole::read(&path, &settings, file(CONFIG).as_deref())?;
            (names, own, class) = (whole.names, whole.own, whole.class);
            tokenizer = Some(whole.tokenizer);
            files.push(path);
        } else if let Some(path) = file("vocab.txt") {
            let (read, found) = word_piece::read(&path, &settings)?;
            (tokenizer, names) = (Some(read), special(found));
            files.push(path);
        } else if let (Some(vocab), Some(merges)) = (file("vocab.json"), file("merges.txt")) {
            let (read, found) = bpe::read(&vocab, &merges, &settings)?;
            (tokenizer, names) = (Some(read), special(found));
            files.extend([vocab, merges]);
        }
        let Some(mut tokenizer) = tokenizer else {
            return Ok(None);
        };
        let further = file("added_tokens.json");
        added::add(&mut tokenizer, &settings, further.as_deref(), &own, names)?;
        tokenizer.set_encode_special_tokens(settings.flag("split_special_tokens") == Some(true));
        let decoding = Decoding::of(&settings, class, &tokenizer);
        files.extend(further);
        files.extend(settings.files);
        files.extend(
            ["chat_template.jinja", "chat_template.json"]
                .into_iter()
                .filter_map(file),
        );
        Ok(Some(Self(Kind::Tokenizer {
            tokenizer: Box::new(tokenizer),
            decoding,
            from: match class {
                Some(_) => From::Class,
                None => From::Folder,
            },
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

    /// Whether it was read from a `tokenizer.json` alone ([`Text::from_file`]).
    pub(crate) fn is_alone(&self) -> bool {
        matches!(
            self.0,
            Kind::Tokenizer {
                from: From::File,
                ..
            }
        )
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
            Kind::Tokenizer {
                tokenizer,
                decoding,
                ..
            } => decoding.decode(tokenizer, tokens),
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

/// A `tokenizer.json`, as the class of its checkpoint takes it.
struct Whole {
    tokenizer: Tokenizer,
    class: Option<Class>,
    /// The special tokens that the class names where nothing names others.
    names: Vec<AddedToken>,
    /// The file's own added tokens.
    own: Vec<Value>,
}

impl Whole {
    /// Reads the file at `path`, by `settings` and the `config.json` at `config`.
    fn read(path: &Path, settings: &TokenizerSettings, config: Option<&Path>) -> Result<Self> {
        let bytes = bytes(path)?;
        let not_one =
            |reason: String| Error::malformed(path, format!("not a tokenizer ({reason})"));
        let file: Value = serde_json::from_slice(&bytes).map_err(|e| not_one(e.to_string()))?;
        let config = match config {
            Some(config) => read_object(config)?,
            None => Map::new(),
        };
        let class = classes::class(settings, &config, &file);
        // Before anything is taken out of it.
        let as_it_is = parsed(path, &bytes)?;
        let own = file["added_tokens"].as_array().cloned();
        let Some(class) = class else {
            return Ok(Self {
                tokenizer: as_it_is,
                class,
                names: Vec::new(),
                own: own.unwrap_or_default(),
            });
        };
        let made = class.made(&file, settings).map_err(|reason| {
            Error::malformed(path, format!("not a tokenizer of its class ({reason})"))
        })?;
        Ok(Self {
            tokenizer: parse(made.to_string().as_bytes()).map_err(not_one)?,
            class: Some(class),
            names: class.named(settings),
            own: own.unwrap_or_default(),
        })
    }
}

fn bytes(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|e| Error::io(path, e))
}

/// The tokenizer of a `tokenizer.json` that was at `path`, which neither pads nor cuts.
fn parsed(path: &Path, json: &[u8]) -> Result<Tokenizer> {
    let mut tokenizer = parse(json)
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
