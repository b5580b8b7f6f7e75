//! Chat templates: from messages to the one text that a chat model was trained on.
//!
//! A template is a Jinja program out of the checkpoint, so it is run as a stranger's program:
//! with bounded work, memory and time.

mod engine;
mod guard;
mod methods;
mod time;
mod tojson;

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::text::settings::{TOKENIZER_CONFIG, TokenizerSettings, content, read_object};

/// The file that holds a template alone.
const TEMPLATE: &str = "chat_template.jinja";
/// The file that older processors keep the template in, under `chat_template`.
const TEMPLATE_JSON: &str = "chat_template.json";

/// One turn of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Message {
    /// Who speaks: `system`, `user`, `assistant`.
    pub role: String,
    /// What is said.
    pub content: String,
}

impl Message {
    /// What `role` says.
    pub fn new(role: impl Into<String>, content: impl Into<String>) -> Self {
        Self {
            role: role.into(),
            content: content.into(),
        }
    }
}

/// How a checkpoint writes a conversation.
#[derive(Debug, Clone)]
pub struct ChatTemplate {
    source: String,
    path: PathBuf,
    /// `bos_token`, `eos_token` and the other special tokens that have a name.
    tokens: Map<String, Value>,
}

impl ChatTemplate {
    /// The template of the checkpoint in `dir`: `chat_template.jinja`, or `chat_template` of
    /// `tokenizer_config.json` or of `chat_template.json`. Of a list of templates the one
    /// named `default`.
    ///
    /// # Errors
    /// When a file cannot be read, holds no template where it should, or the template is not
    /// one that can be run.
    pub fn load(dir: &Path) -> Result<Option<Self>> {
        let settings = TokenizerSettings::read(dir)?;
        let Some((path, source)) = find(dir, &settings)? else {
            return Ok(None);
        };
        let source = guard::accept(&source).map_err(|reason| Error::malformed(&path, reason))?;
        let tokens = settings
            .named_tokens()
            .filter_map(|(name, token)| Some((name.to_string(), Value::from(content(token)?))))
            .collect();
        Ok(Some(Self {
            source,
            path,
            tokens,
        }))
    }

    /// The text of `messages`, with the special tokens that the template writes: encode it
    /// with [`Text::encode_without_special`](crate::Text::encode_without_special).
    /// `add_generation_prompt` ends it with the beginning of the assistant's answer.
    ///
    /// # Errors
    /// When there are no messages, the template refuses them (roles that do not alternate, a
    /// system message where none may be), or it fails or exceeds the bounds it runs within.
    pub fn render(&self, messages: &[Message], add_generation_prompt: bool) -> Result<String> {
        if messages.is_empty() {
            return Err(Error::Input(
                "a conversation needs at least one message".into(),
            ));
        }
        let mut context = self.tokens.clone();
        let messages = serde_json::to_value(messages)
            .map_err(|e| Error::Input(format!("the messages cannot be read ({e})")))?;
        context.insert("messages".into(), messages);
        context.insert("tools".into(), Value::Null);
        context.insert("documents".into(), Value::Null);
        context.insert("add_generation_prompt".into(), add_generation_prompt.into());
        engine::render(&self.source, context).map_err(|failure| match failure {
            engine::Failure::Refused(reason) => {
                Error::Input(format!("the chat template refuses the messages: {reason}"))
            }
            engine::Failure::Broken(reason) => {
                Error::malformed(&self.path, format!("chat template: {reason}"))
            }
        })
    }
}

/// The template and the file it stands in.
fn find(dir: &Path, settings: &TokenizerSettings) -> Result<Option<(PathBuf, String)>> {
    let path = dir.join(TEMPLATE);
    if path.exists() {
        let source = std::fs::read_to_string(&path).map_err(|e| Error::io(&path, e))?;
        return Ok(Some((path, source)));
    }
    if let Some(template) = settings.get("chat_template") {
        let path = dir.join(TOKENIZER_CONFIG);
        let source = choose(template).map_err(|reason| Error::malformed(&path, reason))?;
        return Ok(Some((path, source)));
    }
    let path = dir.join(TEMPLATE_JSON);
    if path.exists() {
        let file = read_object(&path)?;
        let source = choose(file.get("chat_template").unwrap_or(&Value::Null))
            .map_err(|reason| Error::malformed(&path, reason))?;
        return Ok(Some((path, source)));
    }
    Ok(None)
}

/// The template itself, or of a list of named ones the default.
fn choose(template: &Value) -> std::result::Result<String, String> {
    match template {
        Value::String(source) => Ok(source.clone()),
        Value::Array(list) => list
            .iter()
            .find(|entry| entry["name"] == "default")
            .and_then(|entry| entry["template"].as_str())
            .map(str::to_string)
            .ok_or_else(|| "`chat_template` lists no template named `default`".into()),
        _ => Err("`chat_template` is neither a template nor a list of named ones".into()),
    }
}

#[cfg(test)]
mod tests;
