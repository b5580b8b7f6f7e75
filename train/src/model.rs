//! The model that a run begins with.

use burn::tensor::Device;
use fluxo_models::{Model, NewModelOptions, Task, Text};
use serde_json::{Map, Value};

use crate::config::TrainConfig;
use crate::error::{Error, Result};

/// A model with random weights that reads `text` and tells `labels`, as far as its task asks
/// for them.
///
/// # Errors
/// When the family has no such head, or a key of the configuration does not fit.
pub(crate) fn new_model(
    config: &TrainConfig,
    task: Task,
    text: Text,
    labels: &[String],
    device: &Device,
) -> Result<Model> {
    let reads_text = task != Task::ImageClassification;
    let mut set = Vec::new();
    if reads_text {
        set.push(("vocab_size".to_string(), text.vocab_size().to_string()));
    }
    if !labels.is_empty() {
        let numbered = || labels.iter().enumerate();
        let names: Map<_, _> = numbered()
            .map(|(number, label)| (number.to_string(), Value::from(label.as_str())))
            .collect();
        let numbers: Map<_, _> = numbered()
            .map(|(number, label)| (label.clone(), Value::from(number)))
            .collect();
        set.push(("id2label".into(), Value::from(names).to_string()));
        set.push(("label2id".into(), Value::from(numbers).to_string()));
    }
    for (key, value) in &config.model {
        let value = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_string);
        set.push((key.clone(), value));
    }
    let settings = NewModelOptions {
        preset: config.preset.parse().map_err(Error::Model)?,
        set,
        task: Some(task),
    };
    let mut model = Model::new(&config.family, &settings, config.seed, device)?;
    if reads_text {
        model.set_text(text);
    }
    Ok(model)
}

/// Refuses a `sequence_length` that is over what a stack of `model` can read.
///
/// # Errors
/// Then.
pub(crate) fn check_length(model: &Model, config: &TrainConfig) -> Result<()> {
    let stacks = model.config().stacks();
    let texts = stacks.filter(|(_, stack)| stack.tokens().is_some());
    let longest = texts.map(|(_, stack)| stack.max_positions).min();
    match longest {
        Some(longest) if config.sequence_length > longest => Err(Error::Config(format!(
            "sequence_length = {} is over the model's {longest} positions; shorten it, or raise \
             the model's with --set model.KEY=N",
            config.sequence_length
        ))),
        _ => Ok(()),
    }
}
