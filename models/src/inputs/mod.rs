//! Named inputs, checked and put on a device.

mod agreement;
mod cache;
mod floats;
mod integers;
mod naming;
mod plain;
mod start;

use burn::tensor::{DType, Device};

pub use naming::names;
pub use plain::plain_call;
pub use start::{begin, start_token};

use crate::batch::Batch;
use crate::blocks::cache::Cache;
use crate::error::{Error, Result};
use crate::network::NetworkConfig;
use crate::tensors::Tensors;

/// The inputs in `tensors` as a batch on `device`, floats in the element type `dtype`. An
/// `in.` prefix is dropped, `out.*` is passed over.
///
/// # Errors
/// When one is missing, unknown, misshapen, or holds numbers that the network has no row for.
pub fn batch(
    tensors: &Tensors,
    config: &NetworkConfig,
    device: &Device,
    dtype: DType,
) -> Result<Batch> {
    let inputs: Tensors = tensors
        .iter()
        .filter(|(name, _)| !name.starts_with("out."))
        .map(|(name, data)| {
            let name = name.strip_prefix("in.").unwrap_or(name);
            (name.to_string(), data.clone())
        })
        .collect();
    let reader = Reader {
        inputs: &inputs,
        config,
        device,
        dtype,
    };
    reader.names()?;
    let cache = reader.cache()?;
    let past = cache.as_ref().map_or(0, Cache::past);
    let mut batch = Batch {
        pixel_values: reader.pixels()?,
        input_features: reader.features()?,
        ..Batch::default()
    };
    let both = config.encodes_and_decodes();
    let reads_first = config.encoder.as_ref().or(config.decoder.as_ref());
    if let Some(stack) = reads_first
        && stack.tokens().is_some()
    {
        let before = if both { 0 } else { past };
        (batch.input_ids, batch.attention_mask) = reader.tokens("", stack, before)?;
    }
    if let Some(ids) = &batch.input_ids {
        let types = config.token_types();
        // Without a table all tokens are of type 0, and saying so changes nothing.
        batch.token_type_ids = reader
            .integers("token_type_ids", ids.dims(), types.max(1))?
            .filter(|_| types > 0);
        if let Some(positions) = config.given_positions() {
            batch.position_ids = reader.positions("position_ids", ids.dims(), positions)?;
        }
        let alone = batch.attention_mask.is_none() && cache.is_none() && config.cached();
        if alone && batch.position_ids.is_some() {
            reader.one_text("position_ids")?;
        }
    }
    if both && let Some(stack) = &config.decoder {
        (batch.decoder_input_ids, batch.decoder_attention_mask) =
            reader.tokens("decoder_", stack, past)?;
        if let (Some(ids), Some(positions)) = (&batch.decoder_input_ids, stack.given_positions()) {
            let name = "decoder_position_ids";
            batch.decoder_position_ids = reader.positions(name, ids.dims(), positions)?;
        }
    }
    reader.rows(&batch, cache.as_ref())?;
    batch.cache = cache;
    Ok(batch)
}

struct Reader<'a> {
    inputs: &'a Tensors,
    config: &'a NetworkConfig,
    device: &'a Device,
    dtype: DType,
}

fn refuse<T>(text: String) -> Result<T> {
    Err(Error::Input(text))
}
