//! What is done to text when tokens have become it.

use tokenizers::{ModelWrapper, Tokenizer};

use super::class::Class;
use super::settings::TokenizerSettings;
use crate::error::{Error, Result};

/// What is done to decoded text.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Decoding {
    /// Whether spaces before punctuation and English endings go
    /// (`clean_up_tokenization_spaces`).
    cleans: bool,
    /// Whether CLIP's marks of a word's end become spaces.
    ends_words: bool,
    /// Whether Whisper's tokens of times are left out.
    drops_times: bool,
}

/// What is taken for what where spaces are cleaned, one after the other.
const CLEANED: [(&str, &str); 10] = [
    (" .", "."),
    (" ?", "?"),
    (" !", "!"),
    (" ,", ","),
    (" ' ", "'"),
    (" n't", "n't"),
    (" 'm", "'m"),
    (" 's", "'s"),
    (" 've", "'ve"),
    (" 're", "'re"),
];

/// How many of the last words may still read differently where spaces are cleaned.
const WORDS: usize = 4;

impl Decoding {
    /// What `settings` and the class of `tokenizer` say. Byte pairs are not cleaned, since spaces
    /// are theirs, unless it is demanded.
    pub fn of(settings: &TokenizerSettings, class: Option<Class>, tokenizer: &Tokenizer) -> Self {
        let flag = |key: &str| settings.flag(key) == Some(true);
        let pairs = matches!(tokenizer.get_model(), ModelWrapper::BPE(_));
        let demanded = "clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output";
        Self {
            cleans: flag("clean_up_tokenization_spaces") && (!pairs || flag(demanded)),
            ends_words: class == Some(Class::Clip),
            drops_times: class == Some(Class::Whisper),
        }
    }

    /// The text of `tokens`, special ones left out.
    ///
    /// # Errors
    /// When the tokenizer fails.
    pub fn decode(self, tokenizer: &Tokenizer, tokens: &[u32]) -> Result<String> {
        let failed = |e: tokenizers::Error| Error::Text(e.to_string());
        let mut text = if self.drops_times {
            let kept = tokens.iter().copied();
            let kept: Vec<u32> = kept
                .filter(|&token| !self.drops(tokenizer, token))
                .collect();
            tokenizer.decode(&kept, true).map_err(failed)?
        } else {
            tokenizer.decode(tokens, true).map_err(failed)?
        };
        if self.ends_words {
            text = text.replace("</w>", " ").trim().to_string();
        }
        if self.cleans {
            for (from, to) in CLEANED {
                text = text.replace(from, to);
            }
        }
        Ok(text)
    }

    /// Whether `token` has no text because it is a time.
    pub fn drops(self, tokenizer: &Tokenizer, token: u32) -> bool {
        self.drops_times
            && tokenizer
                .id_to_token(token)
                .is_some_and(|name| is_time(&name))
    }

    /// How much of `text`'s end may read differently when more follows.
    pub fn uncertain(self, text: &str) -> usize {
        if self.ends_words {
            // A space may be the end, which is trimmed.
            return text.len() - text.trim_end().len();
        }
        if !self.cleans {
            return 0;
        }
        // What is cleaned away may have been three words (`n ' t`) and the space before them.
        let spaces = text.rmatch_indices(' ').nth(WORDS - 1);
        text.len() - spaces.map_or(0, |(at, _)| at)
    }
}

/// Whether a token is a time, as `<|1.08|>`.
fn is_time(name: &str) -> bool {
    let number = name
        .strip_prefix("<|")
        .and_then(|name| name.strip_suffix("|>"));
    let parts = number.and_then(|number| number.split_once('.'));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    parts.is_some_and(|(whole, rest)| digits(whole) && digits(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_known_by_their_numbers() {
        assert!(is_time("<|1.08|>") && is_time("<|30.00|>"));
        assert!(!is_time("<|en|>") && !is_time("<|.08|>") && !is_time("<|1|>"));
    }

    #[test]
    fn what_may_be_cleaned_is_not_certain() {
        let cleans = Decoding {
            cleans: true,
            ..Decoding::default()
        };
        for (text, certain) in [
            ("do n '", ""),
            ("so I do n '", "so"),
            ("so I do n ' t", "so I"),
        ] {
            assert_eq!(text.len() - cleans.uncertain(text), certain.len(), "{text}");
        }
        assert_eq!(Decoding::default().uncertain("do n"), 0);
    }
}
