//! Text as it is generated: token by token, in whole characters.

use tokenizers::Tokenizer;

use super::{Kind, Text, byte};
use crate::error::Result;

/// Tokens that are kept as context. A character is at most four bytes, and a token at least
/// one, so what follows this many tokens does not depend on what came before them.
const CONTEXT: usize = 8;

/// Decodes token by token: the pieces joined are what [`Text::decode`] gives for all the
/// tokens. A piece ends at a character's end; each token costs the same, however long the text.
///
/// (`tokenizers`' own `DecodeStream` has no end at which to give what it holds back, and holds
/// back for ever where tokens are never UTF-8.)
#[derive(Debug, Clone)]
pub struct TextStream<'a> {
    text: &'a Text,
    /// The last tokens: those of which text is still owed, and their context.
    window: Vec<u32>,
    /// Bytes of the window's text that were given.
    given: usize,
}

impl<'a> TextStream<'a> {
    pub(super) fn new(text: &'a Text) -> Self {
        Self {
            text,
            window: Vec::new(),
            given: 0,
        }
    }

    /// The text that `token` completes, if it does complete any.
    ///
    /// # Errors
    /// When the token is no byte, where tokens are bytes, or the tokenizer fails.
    pub fn push(&mut self, token: u32) -> Result<Option<String>> {
        match &self.text.0 {
            Kind::Bytes => {
                byte(token)?;
            }
            Kind::Tokenizer {
                tokenizer,
                decoding,
                ..
            } => {
                let spoken = spoken(tokenizer, token);
                let Some(name) = spoken.filter(|_| !decoding.drops(tokenizer, token)) else {
                    return Ok(None);
                };
                if is_byte(&name) {
                    // The bytes of a run are characters together or not at all.
                    self.window.push(token);
                    return Ok(None);
                }
            }
        }
        self.window.push(token);
        let text = self.text.decode(&self.window)?;
        // The last character may be the beginning of another.
        let certain = text
            .strip_suffix(char::REPLACEMENT_CHARACTER)
            .unwrap_or(&text);
        let certain = match &self.text.0 {
            Kind::Tokenizer { decoding, .. } => {
                let more = decoding.uncertain(certain);
                &certain[..certain.len() - more]
            }
            Kind::Bytes => certain,
        };
        let piece = self.give(certain);
        self.shorten(&text)?;
        Ok(piece)
    }

    /// The text that is still owed: characters of which the end never came.
    ///
    /// # Errors
    /// When the tokenizer fails.
    pub fn finish(mut self) -> Result<Option<String>> {
        let text = self.text.decode(&self.window)?;
        Ok(self.give(&text))
    }

    fn give(&mut self, text: &str) -> Option<String> {
        let piece = text.get(self.given..).filter(|piece| !piece.is_empty())?;
        self.given = text.len();
        Some(piece.to_string())
    }

    /// Forgets the oldest tokens of the window, whose text is `text`, where the rest alone
    /// continues the same way.
    fn shorten(&mut self, text: &str) -> Result<()> {
        if self.window.len() < 2 * CONTEXT {
            return Ok(());
        }
        let mut start = self.window.len() - CONTEXT;
        if let Kind::Tokenizer { tokenizer, .. } = &self.text.0 {
            // Not within a run of bytes; it ended, so there is such a token.
            let within = |token| tokenizer.id_to_token(token).is_some_and(|t| is_byte(&t));
            while self.window.get(start).copied().is_some_and(within) {
                start += 1;
            }
        }
        let rest = self.text.decode(&self.window[start..])?;
        let owed = text.get(self.given..).unwrap_or_default();
        if let Some(given) = rest.strip_suffix(owed) {
            self.given = given.len();
            self.window.drain(..start);
        }
        Ok(())
    }
}

/// The token's own text, where decoding does not leave it out.
fn spoken(tokenizer: &Tokenizer, token: u32) -> Option<String> {
    tokenizer
        .id_to_token(token)
        .filter(|name| !tokenizer.get_added_vocabulary().is_special_token(name))
}

/// Whether the token stands for one byte (`<0x0A>`), as in vocabularies that fall back to
/// bytes.
fn is_byte(name: &str) -> bool {
    name.len() == 6 && name.starts_with("<0x") && name.ends_with('>')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn tokenizer(description: &serde_json::Value) -> Text {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tokenizer.json");
        std::fs::write(&path, description.to_string()).unwrap();
        Text::from_file(&path).unwrap()
    }

    fn special(id: usize) -> serde_json::Value {
        json!([{"id": id, "content": "<s>", "special": true, "single_word": false,
                "lstrip": false, "rstrip": false, "normalized": false}])
    }

    /// Tokens of one to three bytes, most of them parts of characters.
    fn byte_level() -> Text {
        let symbols: Vec<char> = ('!'..='~').chain('¡'..='¬').chain('®'..='ÿ').collect();
        let mut names: Vec<String> = symbols.iter().map(char::to_string).collect();
        for tail in ["Ã", "©", "ð", "âĤ"] {
            names.extend(["Ġa", "Ĥ¬", "Ã©b", "Ł"].map(|head| format!("{head}{tail}")));
        }
        let vocab: serde_json::Map<_, _> = (0..).zip(names).map(|(i, n)| (n, json!(i))).collect();
        tokenizer(&json!({
            "model": {"type": "BPE", "vocab": vocab, "merges": []},
            "decoder": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false,
                        "use_regex": false},
            "added_tokens": special(vocab.len()),
        }))
    }

    /// Llama's: words, and single bytes for what is no word.
    fn byte_fallback() -> Text {
        let words = ["▁a", "b", "▁", "é", "▁the", ","].map(String::from);
        let bytes = [
            0x41, 0xc3, 0xa9, 0xe2, 0x82, 0xac, 0xf0, 0x9f, 0x99, 0x82, 0x0a,
        ];
        let names = words
            .into_iter()
            .chain(bytes.map(|b: u8| format!("<0x{b:02X}>")));
        let vocab: serde_json::Map<_, _> = (0..).zip(names).map(|(i, n)| (n, json!(i))).collect();
        tokenizer(&json!({
            "model": {"type": "BPE", "vocab": vocab, "merges": [], "byte_fallback": true},
            "decoder": {"type": "Sequence", "decoders": [
                {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
                {"type": "ByteFallback"},
                {"type": "Fuse"},
                {"type": "Strip", "content": " ", "start": 1, "stop": 0},
            ]},
            "added_tokens": special(vocab.len()),
        }))
    }

    fn word_piece() -> Text {
        let names = [
            "[UNK]", "un", "##believ", "##able", "'", "s", ".", "don", "n't", "it",
        ];
        let vocab: serde_json::Map<_, _> = (0..)
            .zip(names)
            .map(|(i, n)| (n.to_string(), json!(i)))
            .collect();
        tokenizer(&json!({
            "model": {"type": "WordPiece", "vocab": vocab, "unk_token": "[UNK]",
                      "continuing_subword_prefix": "##", "max_input_chars_per_word": 100},
            "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
            "added_tokens": special(vocab.len()),
        }))
    }

    fn streamed(text: &Text, tokens: &[u32]) -> String {
        let mut stream = text.stream();
        let mut joined = String::new();
        for &token in tokens {
            joined.extend(stream.push(token).unwrap());
            // Bounded, a run of bytes aside.
            let held = stream.window.iter().rev();
            let held = held.take_while(|&&token| match &text.0 {
                Kind::Bytes => false,
                Kind::Tokenizer { tokenizer, .. } => {
                    is_byte(&tokenizer.id_to_token(token).unwrap())
                }
            });
            assert!(stream.window.len() - held.count() < 2 * CONTEXT + 1);
        }
        joined.extend(stream.finish().unwrap());
        joined
    }

    static TEXTS: std::sync::LazyLock<[Text; 4]> =
        std::sync::LazyLock::new(|| [byte_level(), byte_fallback(), word_piece(), Text::bytes()]);

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]
        #[test]
        fn pieces_joined_are_the_whole(tokens in prop::collection::vec(0u32..300, 0..120)) {
            for text in &*TEXTS {
                let size = text.vocab_size() as u32 + u32::from(!text.is_bytes());
                let tokens: Vec<u32> = tokens.iter().map(|token| token % size).collect();
                prop_assert_eq!(streamed(text, &tokens), text.decode(&tokens).unwrap());
            }
        }
    }

    #[test]
    fn characters_come_whole_and_at_once() {
        let text = Text::bytes();
        let mut stream = text.stream();
        let pieces: Vec<_> = "aé€🙂"
            .bytes()
            .map(|b| stream.push(b.into()).unwrap())
            .collect();
        let whole: Vec<_> = pieces.into_iter().flatten().collect();
        assert_eq!(whole, ["a", "é", "€", "🙂"]);
        assert_eq!(stream.finish().unwrap(), None);
    }

    #[test]
    fn what_never_ends_is_given_at_the_end() {
        let text = Text::bytes();
        let mut stream = text.stream();
        assert_eq!(stream.push(0xe2).unwrap(), None);
        assert_eq!(stream.push(0x82).unwrap(), None);
        assert_eq!(stream.finish().unwrap().as_deref(), Some("\u{fffd}"));
    }

    #[test]
    fn endless_wrong_bytes_come_as_they_do() {
        let text = Text::bytes();
        let mut stream = text.stream();
        let given: usize = (0..1000)
            .filter_map(|_| stream.push(0x80).unwrap())
            .map(|p| p.len())
            .sum();
        assert_eq!(given, 999 * 3);
        assert!(stream.window.len() < 2 * CONTEXT);
    }

    #[test]
    fn what_is_no_byte_is_an_error() {
        let text = Text::bytes();
        let error = text.stream().push(256).unwrap_err();
        assert!(matches!(error, crate::Error::Text(_)), "{error}");
    }
}
