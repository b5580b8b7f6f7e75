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

use serde_json::{Map, Value, json};

use crate::error::{Error, Result};
use crate::files;
use crate::text::settings::{TOKENIZER_CONFIG, TokenizerSettings, content, read_object};

/// The file that holds a template alone.
const TEMPLATE: &str = "chat_template.jinja";
/// The folder with further ones, a file each.
pub(crate) const MORE_TEMPLATES: &str = "additional_chat_templates";
/// The file that older processors keep the template in, under `chat_template`.
const TEMPLATE_JSON: &str = "chat_template.json";
/// The key of `tokenizer_config.json`.
const KEY: &str = "chat_template";
/// The name of the one that a conversation is written with.
const DEFAULT: &str = "default";

/// A template's name and its source.
type Named = (String, String);

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
    /// `tokenizer_config.json` or of `chat_template.json`. Of several (a list, or files in
    /// `additional_chat_templates`) the one named `default`.
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

/// The default template and the file it stands in.
fn find(dir: &Path, settings: &TokenizerSettings) -> Result<Option<(PathBuf, String)>> {
    let Some((path, named)) = named(dir, settings)? else {
        return Ok(None);
    };
    let (names, mut sources): (Vec<_>, Vec<_>) = named.into_iter().unzip();
    match names.iter().position(|name| name == DEFAULT) {
        Some(at) => Ok(Some((path, sources.swap_remove(at)))),
        None => {
            let names = names.join(", ");
            let reason = format!("there are chat templates ({names}), and none named `{DEFAULT}`");
            Err(Error::malformed(&path, reason))
        }
    }
}

/// Every template of the folder `dir` with its name, and the file or folder that they stand in.
/// Files of their own hide those of `tokenizer_config.json`, as in transformers.
fn named(dir: &Path, settings: &TokenizerSettings) -> Result<Option<(PathBuf, Vec<Named>)>> {
    let (path, more) = (dir.join(TEMPLATE), dir.join(MORE_TEMPLATES));
    let mut found = Vec::new();
    let read = |path: &Path| std::fs::read_to_string(path).map_err(|e| Error::io(path, e));
    if path.exists() {
        found.push((DEFAULT.to_string(), read(&path)?));
    }
    if more.is_dir() {
        let entries = std::fs::read_dir(&more).map_err(|e| Error::io(&more, e))?;
        let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        paths.retain(|path| path.extension().is_some_and(|jinja| jinja == "jinja"));
        paths.sort();
        for path in paths {
            let name = path.file_stem().unwrap_or_default();
            found.push((name.to_string_lossy().into_owned(), read(&path)?));
        }
    }
    if !found.is_empty() {
        let place = if path.exists() { path } else { more };
        return Ok(Some((place, found)));
    }
    if let Some(template) = settings.get(KEY) {
        let path = dir.join(TOKENIZER_CONFIG);
        let named = listed(template).map_err(|reason| Error::malformed(&path, reason))?;
        return Ok(Some((path, named)));
    }
    let path = dir.join(TEMPLATE_JSON);
    if path.exists() {
        let file = read_object(&path)?;
        let named = listed(file.get(KEY).unwrap_or(&Value::Null))
            .map_err(|reason| Error::malformed(&path, reason))?;
        return Ok(Some((path, named)));
    }
    Ok(None)
}

/// The template itself, as the default one, or a list of named ones.
fn listed(template: &Value) -> std::result::Result<Vec<Named>, String> {
    let wrong = || format!("`{KEY}` is neither a template nor a list of named ones");
    match template {
        Value::String(source) => Ok(vec![(DEFAULT.to_string(), source.clone())]),
        Value::Array(list) => {
            let text = |entry: &Value, key: &str| Some(entry.get(key)?.as_str()?.to_string());
            let named = |entry| Some((text(entry, "name")?, text(entry, "template")?));
            list.iter()
                .map(named)
                .collect::<Option<_>>()
                .ok_or_else(wrong)
        }
        Value::Object(map) => {
            let named = map
                .iter()
                .map(|(name, source)| Some((name.clone(), source.as_str()?.to_string())));
            named.collect::<Option<_>>().ok_or_else(wrong)
        }
        _ => Err(wrong()),
    }
}

/// Writes the templates that have files of their own in the folder `dir` into its
/// `tokenizer_config.json` too, where there is one: transformers.js reads no other.
///
/// # Errors
/// When a file cannot be read or written.
pub(crate) fn write_beside(dir: &Path) -> Result<()> {
    let path = dir.join(TOKENIZER_CONFIG);
    if !path.exists() {
        return Ok(());
    }
    let Some((from, named)) = named(dir, &TokenizerSettings::read(dir)?)? else {
        return Ok(());
    };
    if from == path {
        return Ok(());
    }
    let value = match named.as_slice() {
        [(name, source)] if name == DEFAULT => Value::from(source.as_str()),
        named => named
            .iter()
            .map(|(name, source)| json!({"name": name, "template": source}))
            .collect(),
    };
    let mut map = read_object(&path)?;
    map.insert(KEY.to_string(), value);
    let json = serde_json::to_vec_pretty(&map).map_err(|e| Error::malformed(&path, e))?;
    files::write_atomic(&path, |file| std::io::Write::write_all(file, &json))
}

#[cfg(test)]
mod tests;
