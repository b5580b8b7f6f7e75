//! Named inputs, checked and put on a device.

use burn::tensor::{DType, Device, Tensor, TensorData};

use crate::blocks::cache::{Cache, LayerCache};
use crate::error::{Error, Result};
use crate::network::{Batch, NetworkConfig};
use crate::tensors::Tensors;

/// Every name that [`batch`] reads, but for the cache's.
const NAMES: [&str; 3] = ["input_ids", "attention_mask", "token_type_ids"];

/// The inputs in `tensors` as a batch on `device`. An `in.` prefix is dropped, `out.*` is
/// passed over.
///
/// # Errors
/// When one is missing, unknown, misshapen, or holds numbers that the network has no row for.
pub fn batch(tensors: &Tensors, config: &NetworkConfig, device: &Device) -> Result<Batch> {
    let inputs: Tensors = tensors
        .iter()
        .filter(|(name, _)| !name.starts_with("out."))
        .map(|(name, data)| {
            let name = name.strip_prefix("in.").unwrap_or(name);
            (name.to_string(), data.clone())
        })
        .collect();
    let unknown = inputs
        .keys()
        .find(|name| !NAMES.contains(&name.as_str()) && !name.starts_with("past_key_values."));
    if let Some(name) = unknown {
        return refuse(format!(
            "the model takes no `{name}`; it takes {}",
            NAMES.join(", ")
        ));
    }

    let cache = cache(&inputs, config, device)?;
    let past = cache.as_ref().map_or(0, Cache::past);
    let ids = inputs.get("input_ids").ok_or_else(|| {
        Error::Input("`input_ids` is missing: give it as [batch, sequence] of int64".into())
    })?;
    let [rows, seq] = matrix("input_ids", ids)?;
    if rows == 0 || seq == 0 {
        return refuse(format!(
            "`input_ids` is [{rows}, {seq}]: there is no token in it"
        ));
    }
    if past + seq > config.max_positions {
        return refuse(format!(
            "the sequence has {} positions, and the model has {}; shorten it",
            past + seq,
            config.max_positions
        ));
    }
    if let Some(cache) = &cache
        && cache.layers.iter().any(|layer| layer.key.dims()[0] != rows)
    {
        return refuse(format!(
            "`past_key_values` and `input_ids` differ in batch ({rows})"
        ));
    }
    let int = |name: &str, shape: [usize; 2], limit: usize| -> Result<Option<Tensor<2, _>>> {
        let Some(data) = inputs.get(name) else {
            return Ok(None);
        };
        if matrix(name, data)? != shape {
            return refuse(format!(
                "`{name}` is {:?}, and must be {shape:?}",
                data.shape().to_vec()
            ));
        }
        let numbers = integers(name, data)?;
        if let Some(number) = numbers.iter().find(|&&n| n < 0 || n >= limit as i64) {
            return refuse(format!(
                "`{name}` holds {number}, and must be from 0 to {}",
                limit - 1
            ));
        }
        Ok(Some(Tensor::from_data(
            TensorData::new(numbers, shape),
            device,
        )))
    };
    let input_ids = int("input_ids", [rows, seq], config.vocab_size)?;
    Ok(Batch {
        input_ids: input_ids.ok_or_else(|| Error::Input("`input_ids` is missing".into()))?,
        attention_mask: int("attention_mask", [rows, past + seq], 2)?,
        // Without a table all tokens are of type 0, and saying so changes nothing.
        token_type_ids: int("token_type_ids", [rows, seq], config.token_types().max(1))?
            .filter(|_| config.token_types() > 0),
        cache,
    })
}

fn refuse<T>(text: String) -> Result<T> {
    Err(Error::Input(text))
}

/// The cache in `inputs`, where there is one: every layer's key and value, or none.
fn cache(inputs: &Tensors, config: &NetworkConfig, device: &Device) -> Result<Option<Cache>> {
    let given = inputs
        .keys()
        .filter(|name| name.starts_with("past_key_values."));
    if given.count() == 0 {
        return Ok(None);
    }
    if !config.causal() {
        return refuse("the model keeps no cache: leave `past_key_values.*` out".into());
    }
    let mut length = None;
    let mut read = |layer: usize, part: &str| -> Result<Tensor<4>> {
        let name = format!("past_key_values.{layer}.{part}");
        let data = inputs
            .get(&name)
            .ok_or_else(|| Error::Input(format!("`{name}` is missing")))?;
        let shape = data.shape().to_vec();
        let [rows, heads, past, dim] = <[usize; 4]>::try_from(shape.clone())
            .map_err(|_| Error::Input(format!("`{name}` must have 4 axes, and has {shape:?}")))?;
        if [heads, dim] != [config.kv_heads(), config.head_dim()]
            || *length.get_or_insert((rows, past)) != (rows, past)
        {
            return refuse(format!(
                "`{name}` is {shape:?}, and must be [batch, {}, past, {}], alike in every layer",
                config.kv_heads(),
                config.head_dim()
            ));
        }
        let data = floats(&name, data)?;
        Ok(Tensor::from_data(data, device))
    };
    let layers = (0..config.layers)
        .map(|layer| {
            Ok(LayerCache {
                key: read(layer, "key")?,
                value: read(layer, "value")?,
            })
        })
        .collect::<Result<Vec<_>>>()?;
    // A past of no positions is no past: some backends hold no empty tensors.
    let cache = Cache { layers };
    Ok((cache.past() > 0).then_some(cache))
}

fn matrix(name: &str, data: &TensorData) -> Result<[usize; 2]> {
    <[usize; 2]>::try_from(data.shape().to_vec()).map_err(|shape| {
        Error::Input(format!(
            "`{name}` must be [batch, sequence], and is {shape:?}"
        ))
    })
}

fn integers(name: &str, data: &TensorData) -> Result<Vec<i64>> {
    match data.dtype() {
        DType::I64 | DType::I32 | DType::Bool(_) => data
            .clone()
            .convert::<i64>()
            .try_into_vec::<i64>()
            .map_err(|e| Error::Input(format!("`{name}`: {e}"))),
        other => refuse(format!("`{name}` holds {other:?}, and must hold int64")),
    }
}

fn floats(name: &str, data: &TensorData) -> Result<TensorData> {
    if !data.dtype().is_float() {
        return refuse(format!(
            "`{name}` holds {:?}, and must hold float32",
            data.dtype()
        ));
    }
    let data = data.clone().convert::<f32>();
    let values = data
        .as_slice::<f32>()
        .map_err(|e| Error::Input(format!("`{name}`: {e}")))?;
    if values.iter().any(|value| !value.is_finite()) {
        return refuse(format!("`{name}` holds a value that is not finite"));
    }
    Ok(data)
}
