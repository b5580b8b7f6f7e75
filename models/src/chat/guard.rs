//! What a template's source must be like before it is run.
//!
//! A namespace is the one object that a template can change, so it is the one that could be
//! made to contain itself, which no engine prints or drops. A namespace is therefore only
//! made by `set NAME = namespace(…)`, and `NAME` only read and written by attribute.

use std::collections::BTreeSet;
use std::ops::Range;

/// Bytes a template may have; the longest published ones have some 30 000. It also bounds how
/// deeply the engine's parser nests.
const LARGEST: usize = 128 << 10;

/// `source` as the engine takes it, or what is wrong with it.
pub(super) fn accept(source: &str) -> Result<String, String> {
    if source.len() > LARGEST {
        return Err(format!(
            "the chat template has {} bytes, and at most {LARGEST} are read",
            source.len()
        ));
    }
    let tokens = tokens(source);
    contained_namespaces(&tokens)?;
    Ok(without_generation(source, &tokens))
}

/// What stands within `{{ }}` and `{% %}`.
#[derive(Debug, Clone, PartialEq)]
enum Token<'a> {
    /// `{{`.
    Print,
    /// `{%`.
    Block,
    /// `}}` or `%}`.
    Close,
    /// A name or keyword, and where it stands.
    Word(&'a str, Range<usize>),
    /// Punctuation.
    Sign(u8),
    /// A string or a number.
    Literal,
}

/// The code of `source`, cut where minijinja's lexer cuts it. Ends early where that lexer
/// would fail.
fn tokens(source: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(start) = source[at..].find('{').map(|found| at + found) {
        at = start + 1;
        let (close, raw) = match source.as_bytes().get(at) {
            Some(b'#') => match source[at + 1..].find("#}") {
                Some(end) => {
                    at += end + 3;
                    continue;
                }
                None => return tokens,
            },
            Some(b'{') => ("}}", None),
            Some(b'%') => ("%}", tag(&source[at + 1..], "raw")),
            _ => continue,
        };
        at += 1;
        if let Some(length) = raw {
            at += length;
            match end_of_raw(&source[at..]) {
                Some(length) => at += length,
                None => return tokens,
            }
            continue;
        }
        tokens.push(match close {
            "%}" => Token::Block,
            _ => Token::Print,
        });
        at = inside(source, at, close, &mut tokens);
        tokens.push(Token::Close);
    }
    tokens
}

/// Reads one tag's tokens from `at` and gives the place after its `close`.
fn inside<'a>(source: &'a str, mut at: usize, close: &str, tokens: &mut Vec<Token<'a>>) -> usize {
    let bytes = source.as_bytes();
    let mut balance = 0;
    while let Some(&byte) = bytes.get(at) {
        if balance == 0 && source[at..].starts_with(close) {
            return at + close.len();
        }
        match byte {
            b'\'' | b'"' => {
                at += 1;
                while let Some(&next) = bytes.get(at) {
                    at += 1;
                    match next {
                        b'\\' => at += 1,
                        _ if next == byte => break,
                        _ => {}
                    }
                }
                tokens.push(Token::Literal);
                // An escape may have led into a character, or past the end.
                while at < bytes.len() && !source.is_char_boundary(at) {
                    at += 1;
                }
                continue;
            }
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'0'..=b'9' => {
                let length = bytes[at..]
                    .iter()
                    .take_while(|b| b.is_ascii_alphanumeric() || **b == b'_')
                    .count();
                tokens.push(if byte.is_ascii_digit() {
                    Token::Literal
                } else {
                    Token::Word(&source[at..at + length], at..at + length)
                });
                at += length;
                continue;
            }
            b'(' | b'[' | b'{' => balance += 1,
            b')' | b']' | b'}' => balance -= 1,
            _ => {}
        }
        if byte.is_ascii_punctuation() {
            tokens.push(Token::Sign(byte));
        }
        at += source[at..].chars().next().map_or(1, char::len_utf8);
    }
    bytes.len()
}

/// The length of the rest of a `{% name %}` after its `{%`, if it is one.
fn tag(rest: &str, name: &str) -> Option<usize> {
    let space = |c: char| c.is_ascii_whitespace();
    let signed = |text: &'_ str| text.strip_prefix(['-', '+']).map_or(text.len(), str::len);
    let start = rest.len() - signed(rest);
    let after = rest[start..].trim_start_matches(space);
    let after = after.strip_prefix(name)?.trim_start_matches(space);
    let after = &after[after.len() - signed(after)..];
    let after = after.strip_prefix("%}")?;
    Some(rest.len() - after.len())
}

/// The length of a raw block's text and its `{% endraw %}`.
fn end_of_raw(rest: &str) -> Option<usize> {
    let mut at = 0;
    loop {
        at += rest[at..].find("{%")? + 2;
        if let Some(length) = tag(&rest[at..], "endraw") {
            return Some(at + length);
        }
    }
}

/// Refuses a namespace that is made or used as a value.
fn contained_namespaces(tokens: &[Token<'_>]) -> Result<(), String> {
    use Token::{Sign, Word};
    let word = |index: Option<usize>| match index.and_then(|index| tokens.get(index)) {
        Some(Word(word, _)) => Some(*word),
        _ => None,
    };
    let sign = |index: Option<usize>| match index.and_then(|index| tokens.get(index)) {
        Some(Sign(sign)) => Some(*sign),
        _ => None,
    };
    let before = |index: usize, by: usize| index.checked_sub(by);

    let mut names = BTreeSet::new();
    for (index, token) in tokens.iter().enumerate() {
        if !matches!(token, Word("namespace", _)) || sign(before(index, 1)) == Some(b'.') {
            continue;
        }
        let name = word(before(index, 2));
        let made = word(before(index, 3)) == Some("set")
            && sign(before(index, 1)) == Some(b'=')
            && sign(Some(index + 1)) == Some(b'(');
        match name {
            Some(name) if made => names.insert(name),
            _ => {
                return Err(
                    "a namespace is not made by `set NAME = namespace(…)`, which is not supported"
                        .into(),
                );
            }
        };
    }
    for (index, token) in tokens.iter().enumerate() {
        let Word(name, _) = token else { continue };
        if !names.contains(name) {
            continue;
        }
        let next = sign(Some(index + 1));
        let attribute = sign(before(index, 1)) == Some(b'.');
        let read = matches!(next, Some(b'.' | b'[')) || word(Some(index + 1)) == Some("is");
        // The target of `set`, or a keyword's name; not the left side of `==`.
        let target = next == Some(b'=') && sign(Some(index + 2)) != Some(b'=');
        if !(attribute || read || target) {
            return Err(format!(
                "the namespace `{name}` is used as a value, which is not supported"
            ));
        }
    }
    Ok(())
}

/// `{% generation %}` marks for training what the assistant says. Here it is a plain scope.
fn without_generation(source: &str, tokens: &[Token<'_>]) -> String {
    let mut out = String::with_capacity(source.len());
    let mut at = 0;
    for (index, token) in tokens.iter().enumerate() {
        let Token::Word(word, range) = token else {
            continue;
        };
        // A block's first word, behind the sign of `{%-`.
        let first = matches!(
            &tokens[..index],
            [.., Token::Block] | [.., Token::Block, Token::Sign(b'-' | b'+')]
        );
        let scope = match *word {
            "generation" if first => "with",
            "endgeneration" if first => "endwith",
            _ => continue,
        };
        out.push_str(&source[at..range.start]);
        out.push_str(scope);
        at = range.end;
    }
    out.push_str(&source[at..]);
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn namespaces_as_published_templates_use_them_are_accepted() {
        for source in [
            "{% set ns = namespace(found=false, ns=1) %}{% set ns.found = true %}{{ ns.found }}",
            "{%- set ns = namespace() -%}{{ ns['x'] }}{% if ns is defined %}{% endif %}",
            "{# a namespace #}text about a namespace, ns {% raw %}{{ namespace }}{% endraw %}",
            "{{ message.namespace }}{{ 'namespace' }}",
            "{% set a = namespace(x={'a': {'b': 1}}) %}{{ a.x }}",
        ] {
            assert_eq!(accept(source).unwrap(), source);
        }
    }

    #[test]
    fn namespaces_as_values_are_refused() {
        for source in [
            "{% set ns = namespace() %}{% set ns.x = ns %}",
            "{% set ns = namespace() %}{% set ns.x = [ns] %}",
            "{% set ns = namespace() %}{% set ns.x = {'}}': ns} %}",
            "{% set ns = namespace() %}{{ '\\'' ~ ns }}",
            "{% set ns = namespace() %}{{ ns == ns }}",
            "{% for n in [namespace()] %}{% set n.x = n %}{% endfor %}",
            "{% set n = [namespace()] %}",
            "{% set f = namespace %}",
            "{% raw %}{% endraw %}{% set f = (namespace) %}",
            "{% with n = namespace() %}{% endwith %}",
            "{#{{ #}{{ namespace() }}",
        ] {
            let reason = accept(source).unwrap_err();
            assert!(reason.contains("not supported"), "{source}: {reason}");
        }
    }

    #[test]
    fn generation_is_a_scope() {
        assert_eq!(
            accept("{%- generation -%}{{ generation }}generation{% endgeneration %}").unwrap(),
            "{%- with -%}{{ generation }}generation{% endwith %}"
        );
    }

    #[test]
    fn long_templates_are_refused() {
        assert!(accept(&"x".repeat(LARGEST)).is_ok());
        assert!(accept(&"x".repeat(LARGEST + 1)).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_accepted_or_refused(
            pieces in prop::collection::vec(
                prop::sample::select(vec![
                    "{{", "}}", "{%", "%}", "{#", "#}", "-", "raw", "endraw", "'", "\"", "\\",
                    "namespace", "(", ")", "set ", "ns", "=", ".", "é", " ", "generation", "{", "1",
                ]),
                0..40,
            )
        ) {
            let _ = accept(&pieces.concat());
        }
    }
}
