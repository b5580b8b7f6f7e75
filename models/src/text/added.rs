//! Special tokens that stand beside a tokenizer, in the files that name them.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use tokenizers::{AddedToken, Tokenizer};

use super::settings::{TokenizerSettings, content, read_object};
use crate::error::{Error, Result};

/// Adds to `tokenizer` the tokens of `added_tokens_decoder`, or else of the `added_tokens.json`
/// at `file` and of `own`, which a `tokenizer.json` has, each at its number; special are those
/// that say so and those that `names` has or the files name `bos_token` and the like. What is
/// named, and is a token that none of them has, is added as special too.
///
/// # Errors
/// When a number is taken, or leaves a gap.
pub(super) fn add(
    tokenizer: &mut Tokenizer,
    settings: &TokenizerSettings,
    file: Option<&Path>,
    own: &[Value],
    names: Vec<AddedToken>,
) -> Result<()> {
    let mut named = names;
    let of_files = settings.named_tokens().map(|(_, token)| token);
    let of_files = of_files.chain(settings.further_names());
    named.extend(of_files.filter_map(|value| added(value, true)));
    let numbered = numbered(settings, file, own)?;
    for (number, token) in &numbered {
        let is_named = named.iter().any(|name| name.content == token.content);
        let token = token.clone().special(token.special || is_named);
        let name = token.content.clone();
        // A token of the vocabulary keeps its number, whatever the files say.
        let known = name.is_empty() || tokenizer.token_to_id(&name).is_some();
        insert(tokenizer, token)?;
        if !known && tokenizer.token_to_id(&name) != Some(*number) {
            return Err(Error::Text(format!(
                "the added token `{name}` should have the number {number}, which the vocabulary \
                 does not leave to it"
            )));
        }
    }
    let further = settings.further_tokens();
    named.extend(further.filter_map(|value| added(value, true)));
    for token in named {
        // Without a number a token could never come from the model, nor go into it.
        let Some(number) = tokenizer.token_to_id(&token.content) else {
            continue;
        };
        let known = tokenizer.get_added_vocabulary().get_added_tokens_decoder();
        if !known.contains_key(&number) {
            insert(tokenizer, token)?;
        }
    }
    Ok(())
}

fn insert(tokenizer: &mut Tokenizer, token: AddedToken) -> Result<()> {
    tokenizer
        .add_tokens([token])
        .map(drop)
        .map_err(|e| Error::Text(format!("a special token cannot be added ({e})")))
}

/// The tokens that the files give numbers, in the order of these.
fn numbered(
    settings: &TokenizerSettings,
    file: Option<&Path>,
    own: &[Value],
) -> Result<Vec<(u32, AddedToken)>> {
    let mut tokens = BTreeMap::new();
    if let Some(Value::Object(decoder)) = settings.get("added_tokens_decoder") {
        for (number, value) in decoder {
            let special = value["special"].as_bool().unwrap_or(false);
            match (number.parse(), added(value, special)) {
                (Ok(number), Some(token)) => tokens.insert(number, token),
                _ => {
                    return Err(Error::Text(format!(
                        "`added_tokens_decoder` holds no token at `{number}`"
                    )));
                }
            };
        }
        return Ok(tokens.into_iter().collect());
    }
    if let Some(path) = file {
        let special: Vec<_> = settings
            .named_tokens()
            .map(|(_, token)| token)
            .chain(settings.further_tokens())
            .filter_map(content)
            .collect();
        for (name, number) in read_object(path)? {
            let number = number
                .as_u64()
                .and_then(|number| u32::try_from(number).ok());
            let Some(number) = number else {
                return Err(Error::malformed(path, format!("`{name}` has no number")));
            };
            let special = special.contains(&name.as_str());
            tokens.insert(number, AddedToken::from(name, special));
        }
    }
    for value in own {
        let special = value["special"].as_bool().unwrap_or(false);
        let number = value["id"].as_u64().and_then(|id| u32::try_from(id).ok());
        if let (Some(number), Some(token)) = (number, added(value, special)) {
            tokens.insert(number, token);
        }
    }
    Ok(tokens.into_iter().collect())
}

/// A token that the files hold as a string or as an object.
fn added(value: &Value, special: bool) -> Option<AddedToken> {
    let token = AddedToken::from(content(value)?, special);
    let flag = |key: &str, default: bool| value[key].as_bool().unwrap_or(default);
    Some(match value {
        Value::Object(_) => {
            let normalized = flag("normalized", token.normalized);
            token
                .single_word(flag("single_word", false))
                .lstrip(flag("lstrip", false))
                .rstrip(flag("rstrip", false))
                .normalized(normalized)
        }
        _ => token,
    })
}
