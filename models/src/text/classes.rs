//! What transformers makes of a `tokenizer.json` and the settings beside it.
//!
//! Most of its tokenizer classes take only the vocabulary, the merges and perhaps what is set
//! around a text out of that file, and make the rest themselves, by the settings of
//! `tokenizer_config.json`; the base class takes the file as it is. Which class it is, the files
//! say, and where they differ `config.json`'s `model_type`.

use serde_json::{Map, Value, json};
use tokenizers::AddedToken;

use super::class::Class;
use super::parts::{self, Parts};
use super::settings::TokenizerSettings;

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Named {
    /// The class that takes the file as it is.
    Base,
    /// One that makes it anew.
    Own(Class),
    /// One that this crate does not know: the file is taken as it is too.
    Unknown,
}

fn named(class: &str) -> Named {
    let class = class.strip_suffix("Fast").unwrap_or(class);
    Named::Own(match class.strip_suffix("Tokenizer").unwrap_or(class) {
        "Albert" => Class::Albert,
        "Bert" | "ConvBert" | "DistilBert" | "Electra" | "LayoutLM" | "Lxmert" | "MobileBert"
        | "RetriBert" | "SqueezeBert" | "DPRContextEncoder" | "DPRQuestionEncoder"
        | "DPRReader" => Class::Bert,
        "Camembert" => Class::Camembert,
        "CLIP" => Class::Clip,
        "CodeGen" => Class::CodeGen,
        "Gemma" => Class::Gemma,
        "GPT2" => Class::Gpt2,
        "GPTNeoX" => Class::GptNeoX,
        "Llama" | "Phi3" => Class::Llama,
        "MPNet" => Class::MpNet,
        "Qwen2" => Class::Qwen2,
        "Bart" | "LED" | "Longformer" | "Mvp" | "Roberta" => Class::Roberta,
        "T5" => Class::T5,
        "Whisper" => Class::Whisper,
        "XLMRoberta" => Class::XlmRoberta,
        "TokenizersBackend" | "PreTrained" | "Bloom" => return Named::Base,
        _ => return Named::Unknown,
    })
}

/// The class of a type of model, and whether that counts whatever its files say.
fn registered(model_type: &str) -> Option<(Named, bool)> {
    let own = |class| (Named::Own(class), false);
    Some(match model_type {
        "albert" => own(Class::Albert),
        "bart" | "roberta" => own(Class::Roberta),
        "bert" | "distilbert" | "electra" => own(Class::Bert),
        "camembert" => own(Class::Camembert),
        "clip" => own(Class::Clip),
        "gemma" | "gemma2" | "gemma3" | "gemma3_text" => own(Class::Gemma),
        "gpt2" | "opt" | "phi" => own(Class::Gpt2),
        "gpt_neox" => own(Class::GptNeoX),
        "mpnet" => own(Class::MpNet),
        "mt5" | "t5" => own(Class::T5),
        "qwen2" => (Named::Own(Class::Qwen2), true),
        "qwen3" => own(Class::Qwen2),
        "whisper" => own(Class::Whisper),
        "xlm-roberta" => own(Class::XlmRoberta),
        "marian" => (Named::Unknown, false),
        "mistral" | "mixtral" | "olmo2" => (Named::Base, false),
        "modernbert" | "phi3" => (Named::Base, true),
        _ => return None,
    })
}

/// The class that makes the tokenizer anew, by the settings' `tokenizer_class`, `config.json`'s
/// (in `config`) and its `model_type`; none where the file `tokenizer` is taken as it is.
pub(super) fn class(
    settings: &TokenizerSettings,
    config: &Map<String, Value>,
    tokenizer: &Value,
) -> Option<Class> {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_string);
    let said = text(settings.get("tokenizer_class")).or(text(config.get("tokenizer_class")));
    let model_type = text(config.get("model_type")).unwrap_or_default();
    let usual = registered(&model_type);
    let class = match (said.as_deref().map(named), usual) {
        // Where the type's own class is known to be right, or nothing else is said.
        (_, Some((usual, true))) | (None, Some((usual, _))) => usual,
        // A base class of the type takes the file whatever is said.
        (Some(_), Some((Named::Base, _))) => Named::Base,
        (Some(said), _) => said,
        (None, None) => Named::Base,
    };
    match class {
        // Llama 3's files name it, and are of another kind.
        Named::Own(Class::Llama) if is_byte_level(tokenizer) => None,
        // No class has whole words, and what it would make of them reads nothing.
        Named::Own(_) if tokenizer["model"]["type"] == "WordLevel" => None,
        Named::Own(class) => Some(class),
        Named::Base | Named::Unknown => None,
    }
}

/// Whether words are made bytes before they are tokens.
fn is_byte_level(tokenizer: &Value) -> bool {
    let is = |part: &Value| part["type"] == "ByteLevel";
    let before = &tokenizer["pre_tokenizer"];
    let steps = before["pretokenizers"].as_array();
    is(before) || steps.is_some_and(|steps| steps.iter().any(is)) || is(&tokenizer["decoder"])
}

impl Class {
    /// The special tokens that have a name, where nothing names others.
    pub fn names(self) -> &'static [(&'static str, &'static str)] {
        const ROBERTA: &[(&str, &str)] = &[
            ("bos_token", "<s>"),
            ("eos_token", "</s>"),
            ("sep_token", "</s>"),
            ("cls_token", "<s>"),
            ("unk_token", "<unk>"),
            ("pad_token", "<pad>"),
            ("mask_token", "<mask>"),
        ];
        const GPT2: &[(&str, &str)] = &[
            ("unk_token", "<|endoftext|>"),
            ("bos_token", "<|endoftext|>"),
            ("eos_token", "<|endoftext|>"),
        ];
        match self {
            Self::Bert => &[
                ("unk_token", "[UNK]"),
                ("sep_token", "[SEP]"),
                ("pad_token", "[PAD]"),
                ("cls_token", "[CLS]"),
                ("mask_token", "[MASK]"),
            ],
            Self::Albert => &[
                ("bos_token", "[CLS]"),
                ("eos_token", "[SEP]"),
                ("unk_token", "<unk>"),
                ("sep_token", "[SEP]"),
                ("pad_token", "<pad>"),
                ("cls_token", "[CLS]"),
                ("mask_token", "[MASK]"),
            ],
            Self::MpNet => &[
                ("bos_token", "<s>"),
                ("eos_token", "</s>"),
                ("sep_token", "</s>"),
                ("cls_token", "<s>"),
                ("unk_token", "[UNK]"),
                ("pad_token", "<pad>"),
                ("mask_token", "<mask>"),
            ],
            Self::Roberta | Self::XlmRoberta | Self::Camembert => ROBERTA,
            Self::Gpt2 | Self::CodeGen | Self::Whisper => GPT2,
            Self::GptNeoX => &[
                ("unk_token", "<|endoftext|>"),
                ("bos_token", "<|endoftext|>"),
                ("eos_token", "<|endoftext|>"),
                ("pad_token", "<|padding|>"),
            ],
            Self::Clip => &[
                ("unk_token", "<|endoftext|>"),
                ("bos_token", "<|startoftext|>"),
                ("eos_token", "<|endoftext|>"),
                ("pad_token", "<|endoftext|>"),
            ],
            Self::Qwen2 => &[
                ("unk_token", "<|endoftext|>"),
                ("eos_token", "<|endoftext|>"),
                ("pad_token", "<|endoftext|>"),
            ],
            Self::Llama => &[
                ("unk_token", "<unk>"),
                ("bos_token", "<s>"),
                ("eos_token", "</s>"),
            ],
            Self::Gemma => &[
                ("unk_token", "<unk>"),
                ("bos_token", "<bos>"),
                ("eos_token", "<eos>"),
                ("pad_token", "<pad>"),
                ("mask_token", "<mask>"),
            ],
            Self::T5 => &[
                ("eos_token", "</s>"),
                ("unk_token", "<unk>"),
                ("pad_token", "<pad>"),
            ],
        }
    }

    /// The special tokens that the class names where `settings` name no others.
    pub fn named(self, settings: &TokenizerSettings) -> Vec<AddedToken> {
        let said = |key: &str| settings.get(key).is_some() || settings.is_null(key);
        let names = self.names().iter().filter(|(key, _)| !said(key));
        let mut tokens: Vec<AddedToken> = names
            .map(|(key, name)| {
                let strips = *key == "mask_token" && matches!(self, Self::Camembert | Self::MpNet);
                AddedToken::from(*name, true).lstrip(strips)
            })
            .collect();
        let lists = ["additional_special_tokens", "extra_special_tokens"];
        if self == Self::T5 && !lists.into_iter().any(said) {
            let extra = settings
                .get("extra_ids")
                .and_then(Value::as_u64)
                .unwrap_or(100);
            let names = (0..extra).map(|number| format!("<extra_id_{number}>"));
            tokens.extend(names.map(|name| AddedToken::from(name, true)));
        }
        tokens
    }

    /// The tokenizer that the class makes of the file's.
    ///
    /// # Errors
    /// A reason, when the file holds another kind of vocabulary than the class reads.
    pub fn made(
        self,
        file: &Value,
        settings: &TokenizerSettings,
    ) -> std::result::Result<Value, String> {
        let given = parts::Given {
            class: self,
            file,
            settings,
        };
        let flag = |key: &str, usual: bool| settings.flag(key).unwrap_or(usual);
        let prefix = flag("add_prefix_space", false);
        // What SentencePiece's classes set before words, unless they are told not to.
        let scheme = if flag("add_prefix_space", true) {
            "always"
        } else {
            "never"
        };
        let trim = flag("trim_offsets", true);
        let made = match self {
            Self::Bert => Parts {
                model: given.word_piece()?,
                normalizer: parts::bert(settings),
                before: json!({"type": "BertPreTokenizer"}),
                decoder: json!({"type": "WordPiece", "prefix": "##", "cleanup": true}),
                around: given.between("cls_token", "sep_token"),
            },
            Self::MpNet => Parts {
                model: given.word_piece()?,
                normalizer: parts::bert(settings),
                before: json!({"type": "BertPreTokenizer"}),
                decoder: json!({"type": "WordPiece", "prefix": "##", "cleanup": true}),
                around: given.roberta("cls_token", "sep_token", true, false),
            },
            Self::Roberta => Parts {
                around: given.roberta("cls_token", "sep_token", trim, prefix),
                ..given.byte_level(prefix)?
            },
            Self::Gpt2 => given.byte_level(prefix)?,
            Self::CodeGen => {
                let around = json!({
                    "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false,
                    "use_regex": true,
                });
                let made = given.byte_level(prefix)?;
                match made.around {
                    Value::Null => Parts { around, ..made },
                    _ => made,
                }
            }
            Self::GptNeoX => Parts {
                normalizer: json!({"type": "NFC"}),
                around: Value::Null,
                ..given.byte_level(prefix)?
            },
            Self::Whisper => Parts {
                around: given.whisper()?,
                ..given.byte_level(prefix)?
            },
            Self::Qwen2 => Parts {
                normalizer: json!({"type": "NFC"}),
                before: parts::split_bytes(parts::QWEN2, "Isolated", false, prefix, false),
                ..given.byte_level(prefix)?
            },
            Self::Clip => Parts {
                model: given.pairs(json!({
                    "end_of_word_suffix": "</w>", "unk_token": given.name("unk_token"),
                    "continuing_subword_prefix": "",
                }))?,
                normalizer: json!({"type": "Sequence", "normalizers": [
                    {"type": "NFC"},
                    {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "},
                    {"type": "Lowercase"},
                ]}),
                before: parts::split_bytes(parts::CLIP, "Removed", true, false, true),
                around: given.roberta("bos_token", "eos_token", false, false),
                ..given.byte_level(false)?
            },
            Self::Llama => {
                let prefix = flag("add_prefix_space", true);
                let scheme = match (prefix, flag("legacy", false)) {
                    (false, _) => "never",
                    (true, true) => "always",
                    (true, false) => "first",
                };
                let mut decoder = parts::spaces();
                decoder.extend(
                    prefix.then(|| json!({"type": "Strip", "content": " ", "start": 1, "stop": 0})),
                );
                Parts {
                    model: given.pairs(json!({"fuse_unk": true, "byte_fallback": true}))?,
                    normalizer: Value::Null,
                    before: parts::metaspace(scheme, false),
                    decoder: json!({"type": "Sequence", "decoders": decoder}),
                    around: given.around(),
                }
            }
            Self::Gemma => Parts {
                model: given.pairs(json!({
                    "fuse_unk": true, "byte_fallback": true, "unk_token": given.name("unk_token"),
                }))?,
                normalizer: json!({"type": "Replace", "pattern": {"String": " "}, "content": "▁"}),
                before: json!({
                    "type": "Split", "pattern": {"String": " "},
                    "behavior": "MergedWithPrevious", "invert": false,
                }),
                decoder: json!({"type": "Sequence", "decoders": parts::spaces()}),
                around: given.around(),
            },
            Self::T5 => Parts {
                model: given.unigram(2)?,
                normalizer: given.charsmap(),
                before: parts::words("always"),
                decoder: parts::metaspace("always", true),
                around: given.behind("</s>", "eos_token"),
            },
            Self::Albert => Parts {
                model: given.unigram(1)?,
                normalizer: given.albert(),
                before: parts::words(scheme),
                decoder: parts::metaspace(scheme, true),
                around: match given.around() {
                    Value::Null => given.between("cls_token", "sep_token"),
                    around => around,
                },
            },
            Self::XlmRoberta | Self::Camembert => Parts {
                model: given.unigram(match self {
                    Self::XlmRoberta => 3,
                    _ => given.place_of("unk_token"),
                })?,
                normalizer: given.charsmap(),
                before: parts::words(scheme),
                decoder: parts::metaspace(scheme, true),
                around: given.between_twice("bos_token", "eos_token"),
            },
        };
        Ok(made.into_file())
    }
}
