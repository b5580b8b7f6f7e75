//! What a model's head does.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::error::Error;

/// A task, by the name that the field uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// Hidden states, no head.
    FeatureExtraction,
    /// Logits over the token that stands at each position.
    FillMask,
    /// Logits over labels of a text.
    TextClassification,
    /// Logits over labels of each token.
    TokenClassification,
    /// Logits over the first and the last token of an answer.
    QuestionAnswering,
    /// Logits over the next token.
    TextGeneration,
    /// Logits over the next token of another text.
    #[serde(rename = "text2text-generation")]
    Text2TextGeneration,
    /// Logits over labels of an image.
    ImageClassification,
    /// Hidden states of an image, no head.
    ImageFeatureExtraction,
    /// How well images and texts fit.
    ZeroShotImageClassification,
    /// Logits over the next token of what is said.
    AutomaticSpeechRecognition,
}

impl Task {
    /// Every task.
    pub const ALL: [Self; 11] = [
        Self::FeatureExtraction,
        Self::FillMask,
        Self::TextClassification,
        Self::TokenClassification,
        Self::QuestionAnswering,
        Self::TextGeneration,
        Self::Text2TextGeneration,
        Self::ImageClassification,
        Self::ImageFeatureExtraction,
        Self::ZeroShotImageClassification,
        Self::AutomaticSpeechRecognition,
    ];

    /// The task's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::FeatureExtraction => "feature-extraction",
            Self::FillMask => "fill-mask",
            Self::TextClassification => "text-classification",
            Self::TokenClassification => "token-classification",
            Self::QuestionAnswering => "question-answering",
            Self::TextGeneration => "text-generation",
            Self::Text2TextGeneration => "text2text-generation",
            Self::ImageClassification => "image-classification",
            Self::ImageFeatureExtraction => "image-feature-extraction",
            Self::ZeroShotImageClassification => "zero-shot-image-classification",
            Self::AutomaticSpeechRecognition => "automatic-speech-recognition",
        }
    }

    /// Whether the head gives logits over the tokens.
    pub fn predicts_tokens(self) -> bool {
        self.generates() || self == Self::FillMask
    }

    /// Whether the model writes tokens, one after the other.
    pub fn generates(self) -> bool {
        matches!(
            self,
            Self::TextGeneration | Self::Text2TextGeneration | Self::AutomaticSpeechRecognition
        )
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Task {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|task| task.name() == name)
            .ok_or_else(|| {
                let known = Self::ALL.map(Self::name).join(", ");
                Error::Config(format!("unknown task `{name}`; known tasks: {known}"))
            })
    }
}
