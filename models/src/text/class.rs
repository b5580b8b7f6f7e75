//! The classes of transformers that make tokenizers themselves.

/// A class of transformers that makes tokenizers itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Albert,
    Bert,
    Camembert,
    Clip,
    CodeGen,
    Gemma,
    Gpt2,
    GptNeoX,
    Llama,
    MpNet,
    Qwen2,
    Roberta,
    T5,
    Whisper,
    XlmRoberta,
}
