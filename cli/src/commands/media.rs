//! Texts, images and sounds as a model's inputs.

use std::path::Path;

use anyhow::{Context, Result, bail};
use burn::tensor::TensorData;
use fluxo_models::answer::Row;
use fluxo_models::audio::AudioProcessor;
use fluxo_models::chat::{ChatTemplate, Message};
use fluxo_models::image::ImageProcessor;
use fluxo_models::text::Reading;
use fluxo_models::{Task, Tensors, Text};

use super::about::About;
use crate::args::RunInput;

/// The most tokens in which transformers looks for an answer at once.
const WINDOW: usize = 384;
/// How many of them two windows have in common, where there is room.
const STRIDE: usize = 128;

/// The inputs that `given` makes for the model in `folder`, and the texts among them.
pub fn inputs(folder: &Path, about: &About, given: &RunInput) -> Result<(Tensors, Vec<Row>)> {
    let mut inputs = Tensors::new();
    let mut rows = Vec::new();
    if !given.prompt.is_empty() {
        let text = about.tokenizer("--inputs")?;
        for (of, prompt) in given.prompt.iter().enumerate() {
            rows.extend(read(text, about, of, prompt, pair(given, of)?)?);
        }
    }
    if let Some(message) = &given.chat {
        let (written, ids) = chat(folder, about.tokenizer("--inputs")?, message)?;
        rows.push(Row {
            text: written,
            reading: Reading {
                types: vec![0; ids.len()],
                places: vec![None; ids.len()],
                ids,
            },
            ..Row::default()
        });
    }
    if let (false, Some(text)) = (rows.is_empty(), &about.text) {
        padded(text, about, &rows, &mut inputs)?;
    }
    if !given.image.is_empty() {
        let processor = ImageProcessor::load(folder)?.context(
            "the model has no preprocessor_config.json, which says how it reads images; give \
             --inputs instead",
        )?;
        inputs.insert("pixel_values".into(), processor.read_all(&given.image)?);
    }
    if let Some(sound) = &given.sound {
        let processor = AudioProcessor::load(folder)?.context(
            "the model has no preprocessor_config.json, which says how it hears; give --inputs \
             instead",
        )?;
        inputs.insert("input_features".into(), processor.read(sound)?);
    }
    Ok((inputs, rows))
}

/// The second text of prompt `of`.
fn pair(given: &RunInput, of: usize) -> Result<Option<&str>> {
    Ok(match given.pair.as_slice() {
        [] => None,
        [one] => Some(one),
        pairs if pairs.len() == given.prompt.len() => Some(&pairs[of]),
        pairs => bail!(
            "--prompt is given {} times and --pair {}; give one --pair for all, or each its own",
            given.prompt.len(),
            pairs.len()
        ),
    })
}

/// One prompt as rows: several where an answer is looked for in a long text.
fn read(
    text: &Text,
    about: &About,
    of: usize,
    prompt: &str,
    pair: Option<&str>,
) -> Result<Vec<Row>> {
    let asks = about.task == Some(Task::QuestionAnswering);
    let readings = match pair {
        Some(context) if asks => {
            let most = text.longest()?.unwrap_or(WINDOW).min(WINDOW);
            let most = most.min(about.positions.unwrap_or(WINDOW));
            text.windows(prompt, context, most, STRIDE.min(most / 2))?
        }
        pair => vec![text.read(prompt, pair)?],
    };
    let row = |reading| Row {
        of,
        text: prompt.to_string(),
        pair: pair.map(String::from),
        reading,
    };
    Ok(readings.into_iter().map(row).collect())
}

/// `message` as the model's chat template puts it, and its tokens.
fn chat(folder: &Path, text: &Text, message: &str) -> Result<(String, Vec<u32>)> {
    let template = ChatTemplate::load(folder)?
        .context("the model has no chat template; give --prompt instead")?;
    let written = template.render(&[Message::new("user", message)], true)?;
    let ids = text.encode_without_special(&written)?;
    Ok((written, ids))
}

/// `input_ids` and `attention_mask` `[rows, longest]`, padded on the right; `token_type_ids` where
/// the tokenizer tells two texts from each other and the model can.
fn padded(text: &Text, about: &About, rows: &[Row], inputs: &mut Tensors) -> Result<()> {
    let readings: Vec<&Reading> = rows.iter().map(|row| &row.reading).collect();
    let longest = readings.iter().map(|r| r.ids.len()).max().unwrap_or(0);
    let shape = [readings.len(), longest];
    let tensor = |values: &dyn Fn(&Reading) -> Vec<i64>, padding: i64| {
        let row = |reading: &&Reading| {
            let mut values = values(reading);
            values.resize(longest, padding);
            values
        };
        TensorData::new(readings.iter().flat_map(row).collect::<Vec<_>>(), shape)
    };
    let numbers = |ids: &[u32]| ids.iter().map(|&id| i64::from(id)).collect();
    let padding = match text.special("pad_token")? {
        Some(padding) => Some(padding as usize),
        None => about.raw.count_opt("pad_token_id")?,
    };
    // A tokenizer may know tokens that the model has no row for.
    let padding = padding
        .filter(|padding| *padding < about.vocab)
        .unwrap_or(0);
    let ids = tensor(&|reading| numbers(&reading.ids), padding as i64);
    inputs.insert("input_ids".into(), ids);
    let kept = tensor(&|reading| vec![1; reading.ids.len()], 0);
    inputs.insert("attention_mask".into(), kept);
    let typed = readings
        .iter()
        .any(|r| r.types.iter().any(|&kind| kind > 0));
    if typed && about.token_types > 1 && text.types_tokens(about.raw.text("model_type")?)? {
        let types = tensor(&|reading| numbers(&reading.types), 0);
        inputs.insert("token_type_ids".into(), types);
    }
    Ok(())
}
