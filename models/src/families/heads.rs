//! The heads that several families share.

use crate::blocks::activation::Activation;
use crate::blocks::norm::NormConfig;
use crate::config::RawConfig;
use crate::error::Result;
use crate::head::{DenseConfig, HeadConfig, OutputConfig, Pooling};
use crate::network::{Answer, NetworkConfig};
use crate::task::Task;

/// A dense layer with a bias.
pub(super) fn dense(width: usize, activation: Activation) -> DenseConfig {
    DenseConfig {
        width,
        bias: true,
        activation,
        norm: None,
    }
}

/// A linear output layer with a bias.
pub(super) fn outputs(size: usize) -> OutputConfig {
    OutputConfig::Linear { size, bias: true }
}

/// Logits over the tokens, by the token embedding with a bias, behind a dense layer of `width`
/// and a norm.
pub(super) fn fill_mask(width: usize, activation: Activation, norm: NormConfig) -> HeadConfig {
    HeadConfig::every(OutputConfig::Tied { bias: true }).behind(DenseConfig {
        norm: Some(norm),
        ..dense(width, activation)
    })
}

/// A pooler: the first position behind a dense layer of `width`.
pub(super) fn pooler(width: usize, activation: Activation) -> HeadConfig {
    HeadConfig::of(Pooling::First, OutputConfig::None).behind(dense(width, activation))
}

/// Gives `config` the head for `task` where that is one linear layer over each position:
/// labels of tokens, or the ends of an answer.
pub(super) fn per_token(config: &mut NetworkConfig, raw: &RawConfig, task: Task) -> Result<()> {
    match task {
        Task::TokenClassification => {
            config.head = Some(HeadConfig::every(outputs(raw.labels()?)));
        }
        Task::QuestionAnswering => {
            config.head = Some(HeadConfig::every(outputs(2)));
            config.answer = Answer::Span;
        }
        _ => {}
    }
    Ok(())
}

/// The head of a decoder for `task`: logits over the next token (by the token embedding where
/// `tied`), or labels of the text, read at its last token.
pub(super) fn decoder(
    config: &mut NetworkConfig,
    raw: &RawConfig,
    task: Task,
    tied: bool,
) -> Result<()> {
    let linear = |size| OutputConfig::Linear { size, bias: false };
    config.head = match task {
        Task::TextGeneration => Some(HeadConfig::every(if tied {
            OutputConfig::Tied { bias: false }
        } else {
            linear(config.vocab_size())
        })),
        Task::TextClassification => {
            let padding = raw.count_opt("pad_token_id")?;
            Some(HeadConfig::of(
                Pooling::LastBut(padding),
                linear(raw.labels()?),
            ))
        }
        Task::TokenClassification => Some(HeadConfig::every(outputs(raw.labels()?))),
        _ => None,
    };
    Ok(())
}
