//! Texts, images and sounds as a model's inputs.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use burn::tensor::TensorData;
use fluxo_models::audio::AudioProcessor;
use fluxo_models::config::Raw;
use fluxo_models::image::ImageProcessor;
use fluxo_models::model::CONFIG;
use fluxo_models::{Tensors, Text};

/// The inputs that `prompts`, `images` and `sound` make for the checkpoint in `model`.
pub fn inputs(
    model: &Path,
    prompts: &[String],
    images: &[PathBuf],
    sound: Option<&Path>,
) -> Result<Tensors> {
    let mut inputs = Tensors::new();
    if !prompts.is_empty() {
        let raw = Raw::read(&model.join(CONFIG))?;
        let text = fluxo_models::model::text(model, &raw)?
            .context("the model has no tokenizer, so it reads no text; give --inputs instead")?;
        texts(&text, prompts, &mut inputs)?;
    }
    if !images.is_empty() {
        let processor = ImageProcessor::load(model)?.context(
            "the model has no preprocessor_config.json, which says how it reads images; give \
             --inputs instead",
        )?;
        inputs.insert("pixel_values".into(), processor.read_all(images)?);
    }
    if let Some(sound) = sound {
        let processor = AudioProcessor::load(model)?.context(
            "the model has no preprocessor_config.json, which says how it hears; give --inputs \
             instead",
        )?;
        inputs.insert("input_features".into(), processor.read(sound)?);
    }
    Ok(inputs)
}

/// `input_ids` and `attention_mask` `[texts, longest]`, padded on the right.
fn texts(text: &Text, prompts: &[String], inputs: &mut Tensors) -> Result<()> {
    let rows: Vec<Vec<u32>> = prompts
        .iter()
        .map(|prompt| text.encode(prompt))
        .collect::<Result<_, _>>()?;
    let longest = rows.iter().map(Vec::len).max().unwrap_or_default();
    let shape = [rows.len(), longest];
    let padded = |value: fn(u32) -> i64| -> TensorData {
        let row = |row: &Vec<u32>| {
            let mut values: Vec<i64> = row.iter().map(|&id| value(id)).collect();
            values.resize(longest, 0);
            values
        };
        TensorData::new(rows.iter().flat_map(row).collect::<Vec<_>>(), shape)
    };
    inputs.insert("input_ids".into(), padded(i64::from));
    inputs.insert("attention_mask".into(), padded(|_| 1));
    Ok(())
}
