//! What each sublayer writes into the residual stream.
//!
//! [`stream`] runs a model with its taps on and says, for every layer, how large the stream is
//! at each tap and which part of the final stream came from which sublayer. Positions that the
//! attention mask drops do not count, and everything here is computed in float64.

mod contributions;
mod error;
mod report;
mod rows;

use burn::tensor::TensorData;
use fluxo_models::{Model, OutputOptions, Tensors, blocks::taps};

pub use error::Error;
pub use report::{LayerReport, StreamReport, TapStats};

use rows::Rows;

/// Runs `model` on `inputs` (those of [`Model::run`]) and measures its residual stream.
///
/// Of an encoder-decoder that of the decoder, of text and images compared that of the text. The
/// stream's end is the last layer's `resid_post`; a norm after the last layer, as pre-norm
/// models have one, is not part of it.
///
/// # Errors
/// When the model does not run on the inputs, no position is kept, or the stream is zero or not
/// finite somewhere.
pub fn stream(model: &Model, inputs: &Tensors) -> Result<StreamReport, Error> {
    let request = OutputOptions {
        taps: true,
        ..OutputOptions::default()
    };
    let outputs = model.run(inputs, &request)?;
    measured(model, inputs, &outputs)
}

/// [`stream`] of what was computed elsewhere: `outputs` hold every tap of the stack, and of `model`
/// the norms alone are read, where they stand behind the sums.
///
/// # Errors
/// When a tap is missing, no position is kept, or the stream is zero or not finite somewhere.
pub fn measured(model: &Model, inputs: &Tensors, outputs: &Tensors) -> Result<StreamReport, Error> {
    let config = model.config();
    let place = match config.stacks().find(|(_, stack)| *stack == config.main()) {
        Some((name, _)) if !config.shown(name).is_empty() => format!("{name}.layers"),
        _ => "layers".to_string(),
    };
    let kept = kept(inputs, outputs, &place)?;
    let tap = |layer: usize, tap: &str| {
        let name = format!("{place}.{layer}.{tap}");
        let rows = Rows::read(&name, outputs.get(&name), &kept)?;
        if rows.is_finite() {
            Ok(rows)
        } else {
            Err(Error::NotFinite { tap: name })
        }
    };

    let stack = config.main();
    let mut layers = Vec::with_capacity(stack.layers);
    for layer in 0..stack.layers {
        let mut stats = Vec::with_capacity(taps::NAMES.len());
        for name in taps::NAMES {
            if outputs.contains_key(&format!("{place}.{layer}.{name}")) {
                stats.push(tap(layer, name)?.stats(name));
            }
        }
        layers.push(LayerReport::new(layer, stats));
    }
    let mut report = StreamReport {
        norm_position: stack.block().norm_position,
        positions: kept.iter().filter(|keep| **keep).count(),
        embedding_share: 0.0,
        layers,
        remainder: 0.0,
    };
    contributions::fill(&mut report, model, tap)?;
    Ok(report)
}

/// Which of the positions `[batch * seq]` of the stack at `place` the attention mask keeps; all
/// without one.
fn kept(inputs: &Tensors, outputs: &Tensors, place: &str) -> Result<Vec<bool>, Error> {
    let first = format!("{place}.0.x");
    let shape = outputs.get(&first).map(|data| data.shape().to_vec());
    let Some(&[batch, seq, _]) = shape.as_deref() else {
        return Err(Error::MissingTap { tap: first });
    };
    let name = if place.starts_with("decoder.") {
        "decoder_attention_mask"
    } else {
        "attention_mask"
    };
    let mask = inputs
        .get(name)
        .or_else(|| inputs.get(&format!("in.{name}")));
    let Some(mask) = mask else {
        return Ok(vec![true; batch * seq]);
    };
    // [batch, past + seq]: only the columns of this call's positions.
    let keys = mask.shape().to_vec().last().copied().unwrap_or(seq);
    let values = numbers("attention_mask", mask)?;
    let kept: Vec<bool> = values
        .chunks(keys)
        .flat_map(|row| &row[keys - seq..])
        .map(|value| *value != 0.0)
        .collect();
    if kept.contains(&true) {
        Ok(kept)
    } else {
        Err(Error::NothingKept)
    }
}

/// The values of `data` in float64.
fn numbers(name: &str, data: &TensorData) -> Result<Vec<f64>, Error> {
    data.clone()
        .convert::<f64>()
        .try_into_vec()
        .map_err(|error| Error::Values {
            name: name.to_owned(),
            reason: error.to_string(),
        })
}
