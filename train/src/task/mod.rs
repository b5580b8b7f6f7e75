//! What a run teaches: one file a task.
//!
//! A [`TrainingTask`] has examples, most to learn from and some to be evaluated on, and says what the
//! loss of a network on some of them is. The loop knows nothing else of a task.

mod fill_mask;
mod image_classification;
mod text2text_generation;
mod text_classification;
mod text_generation;

use burn::nn::loss::CrossEntropyLossConfig;
use burn::tensor::{Device, Int, Tensor, TensorData};
use fluxo_models::{Model, Network, Output, Task, Text};

use crate::config::TrainConfig;
use crate::data::{Row, Split};
use crate::error::{Error, Result};

pub(crate) use text_generation::next_tokens;

/// The tasks that can be trained.
const TRAINED: [Task; 5] = [
    Task::TextGeneration,
    Task::FillMask,
    Task::Text2TextGeneration,
    Task::TextClassification,
    Task::ImageClassification,
];

/// A task and its data.
pub(crate) trait TrainingTask {
    /// SHA-256 over all examples, in hexadecimal: a resumed run must have the same.
    fn digest(&self) -> &str;

    /// The names of the labels, in the order of their numbers, where the task has some.
    fn labels(&self) -> &[String] {
        &[]
    }

    /// Makes the examples ready for `model`.
    ///
    /// # Errors
    /// When the model cannot learn from them.
    fn fit(&mut self, model: &Model, config: &TrainConfig) -> Result<()>;

    /// What belongs beside the weights: names and contents of files.
    fn files(&self) -> Vec<(&'static str, Vec<u8>)> {
        Vec::new()
    }

    /// How many examples there are to learn from.
    fn examples(&self) -> usize;

    /// At most `most` of the examples to be evaluated on, spread evenly.
    fn evaluated(&self, most: usize) -> Vec<usize>;

    /// How many answers the loss on `rows` of `split` is the mean of: tokens, or labels. It is
    /// known before the network runs, so that each part of an update is weighted by its own.
    fn answers(&self, split: Split, rows: &[Row]) -> usize;

    /// What `network` makes of `rows` of `split`, on `device`.
    ///
    /// # Errors
    /// When an example cannot be read.
    fn loss(&self, network: &Network, split: Split, rows: &[Row], device: &Device) -> Result<Loss>;
}

/// A network's loss on some rows.
pub(crate) struct Loss {
    /// In nats an answer, over those that [`TrainingTask::answers`] counts, `[1]`.
    pub(crate) mean: Tensor<1>,
    /// How many positions the network read, those of padding left out.
    pub(crate) tokens: u64,
    /// What was decided, where the task has classes.
    pub(crate) decided: Option<Decided>,
}

/// Rows and the labels that they have.
pub(crate) struct Decided {
    /// `[rows, labels]`.
    pub(crate) logits: Tensor<2>,
    /// The right label of each row.
    pub(crate) labels: Vec<usize>,
}

/// The task of `config`, and its data read as `text` says.
///
/// # Errors
/// When the task cannot be trained, or the data are not what it takes.
pub(crate) fn open(config: &TrainConfig, task: Task, text: &Text) -> Result<Box<dyn TrainingTask>> {
    Ok(match task {
        Task::TextGeneration => Box::new(text_generation::TrainingTask::open(config, text)?),
        Task::FillMask => Box::new(fill_mask::TrainingTask::open(config, text)?),
        Task::Text2TextGeneration => Box::new(text2text_generation::TrainingTask::open(config)?),
        Task::TextClassification => Box::new(text_classification::TrainingTask::open(config)?),
        Task::ImageClassification => Box::new(image_classification::TrainingTask::open(config)?),
        other => return Err(untrained(other.name())),
    })
}

/// The task that `config` names.
///
/// # Errors
/// When there is none of the name that can be trained.
pub(crate) fn named(config: &TrainConfig) -> Result<Task> {
    let task = config.task.parse().ok();
    task.filter(|task| TRAINED.contains(task))
        .ok_or_else(|| untrained(&config.task))
}

fn untrained(name: &str) -> Error {
    Error::Config(format!(
        "task `{name}` cannot be trained; {} can",
        TRAINED.map(Task::name).join(", ")
    ))
}

/// The logits of `output`, `[batch, seq, size]`.
fn logits(output: Output) -> Result<Tensor<3>> {
    let none = || Error::Config("the model has no head for the task".into());
    output.logits.ok_or_else(none)
}

/// The mean cross entropy of `logits` `[answers, size]` against `targets` `[answers]`, `[1]`.
fn cross_entropy(logits: Tensor<2>, targets: Tensor<1, Int>) -> Tensor<1> {
    let loss = CrossEntropyLossConfig::new().init(&logits.device());
    loss.forward(logits, targets)
}

/// The loss of a network that read `tokens` positions and made `output` of them, where every row
/// has one answer: the cross entropy of the logits `[batch, 1, labels]` against `labels`.
fn labelled(output: Output, labels: Vec<i64>, tokens: u64, device: &Device) -> Result<Loss> {
    let answers = labels.len();
    let logits = logits(output)?; // [batch, 1, labels]
    let [_, _, size] = logits.dims();
    let logits = logits.reshape([answers, size]);
    let decided = Decided {
        logits: logits.clone(),
        labels: labels.iter().map(|&label| label as usize).collect(),
    };
    let labels = Tensor::from_data(TensorData::new(labels, [answers]), device);
    Ok(Loss {
        mean: cross_entropy(logits, labels),
        tokens,
        decided: Some(decided),
    })
}
