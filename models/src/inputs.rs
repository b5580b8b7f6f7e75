//! Named inputs, checked and put on a device.

use burn::tensor::{DType, Device, Int, Tensor, TensorData};

use crate::batch::Batch;
use crate::blocks::cache::{Cache, KeyValue, LayerCache};
use crate::error::{Error, Result};
use crate::head::Read;
use crate::network::NetworkConfig;
use crate::stack::{InputConfig, StackConfig};
use crate::tensors::Tensors;

/// The most patches along an axis of an image.
const LARGEST_GRID: usize = 1024;

/// The names of a network's inputs, but for the cache's, those that must be given first.
pub fn names(config: &NetworkConfig) -> (Vec<&'static str>, Vec<&'static str>) {
    let (mut needed, mut optional) = (Vec::new(), Vec::new());
    match config.encoder.as_ref().map(|stack| &stack.input) {
        Some(InputConfig::Tokens(_)) => {
            needed.push("input_ids");
            optional.push("attention_mask");
        }
        Some(InputConfig::Frames(_)) => needed.push("input_features"),
        _ => {}
    }
    if config.encodes_and_decodes() {
        // A classifier makes the decoder's tokens of the encoder's, and reads the answer there.
        let reads = config.head.as_ref().map(|head| head.read);
        if reads.is_none_or(|read| read == Read::All) {
            needed.push("decoder_input_ids");
            optional.push("decoder_attention_mask");
        }
    } else if config.decoder.is_some() {
        needed.push("input_ids");
        optional.push("attention_mask");
    }
    if config.token_types() > 0 {
        optional.push("token_type_ids");
    }
    if config.vision.is_some() {
        needed.push("pixel_values");
    }
    (needed, optional)
}

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
    }
    if both && let Some(stack) = &config.decoder {
        (batch.decoder_input_ids, batch.decoder_attention_mask) =
            reader.tokens("decoder_", stack, past)?;
    }
    reader.rows(&batch, cache.as_ref())?;
    batch.cache = cache;
    Ok(batch)
}

fn refuse<T>(text: String) -> Result<T> {
    Err(Error::Input(text))
}

struct Reader<'a> {
    inputs: &'a Tensors,
    config: &'a NetworkConfig,
    device: &'a Device,
    dtype: DType,
}

impl Reader<'_> {
    /// Refuses names that the network does not take, and missing ones.
    fn names(&self) -> Result<()> {
        let (needed, optional) = names(self.config);
        let known: Vec<&str> = needed.iter().chain(&optional).copied().collect();
        let types = |name: &str| name == "token_type_ids" && known.contains(&"input_ids");
        let unknown = self.inputs.keys().find(|name| {
            !known.contains(&name.as_str()) && !name.starts_with("past_key_values.") && !types(name)
        });
        if let Some(name) = unknown {
            return refuse(format!(
                "the model takes no `{name}`; it takes {}",
                known.join(", ")
            ));
        }
        match needed.iter().find(|name| !self.inputs.contains_key(**name)) {
            Some(name) => refuse(format!(
                "`{name}` is missing; give it as {}",
                self.form(name)
            )),
            None => Ok(()),
        }
    }

    /// What an input must be.
    fn form(&self, name: &str) -> String {
        let stack = |stack: &Option<StackConfig>| stack.as_ref().map(|stack| stack.input.clone());
        match (
            name,
            stack(&self.config.vision),
            stack(&self.config.encoder),
        ) {
            ("pixel_values", Some(InputConfig::Patches(patches)), _) => {
                let [height, width] = patches.image;
                format!(
                    "[batch, {}, {height}, {width}] of float32",
                    patches.channels
                )
            }
            ("input_features", _, Some(InputConfig::Frames(frames))) => format!(
                "[batch, {}, {}] of float32",
                frames.mel_bins,
                frames.frames()
            ),
            _ => "[batch, sequence] of int64".to_string(),
        }
    }

    /// `input_ids` and `attention_mask` of a stack, `prefix` before their names.
    #[allow(clippy::type_complexity)]
    fn tokens(
        &self,
        prefix: &str,
        stack: &StackConfig,
        past: usize,
    ) -> Result<(Option<Tensor<2, Int>>, Option<Tensor<2, Int>>)> {
        let name = format!("{prefix}input_ids");
        let Some(ids) = self.inputs.get(&name) else {
            return Ok((None, None));
        };
        let [rows, seq] = matrix(&name, ids)?;
        if rows == 0 || seq == 0 {
            return refuse(format!(
                "`{name}` is [{rows}, {seq}]: there is no token in it"
            ));
        }
        if past + seq > stack.max_positions {
            return refuse(format!(
                "the sequence has {} positions, and the model has {}; shorten it",
                past + seq,
                stack.max_positions
            ));
        }
        let vocab = stack.tokens().map_or(0, |tokens| tokens.vocab_size);
        let mask = format!("{prefix}attention_mask");
        Ok((
            self.integers(&name, [rows, seq], vocab)?,
            self.integers(&mask, [rows, past + seq], 2)?,
        ))
    }

    /// Whole numbers from 0 to below `limit`, where the input is there.
    fn integers(
        &self,
        name: &str,
        shape: [usize; 2],
        limit: usize,
    ) -> Result<Option<Tensor<2, Int>>> {
        let Some(data) = self.inputs.get(name) else {
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
        let data = TensorData::new(numbers, shape);
        Ok(Some(Tensor::from_data(data, self.device)))
    }

    fn pixels(&self) -> Result<Option<Tensor<4>>> {
        let Some(InputConfig::Patches(patches)) = self.config.vision.as_ref().map(|v| &v.input)
        else {
            return Ok(None);
        };
        let [mut height, mut width] = patches.image;
        let shape = self
            .inputs
            .get("pixel_values")
            .map(|data| data.shape().to_vec());
        if let (true, Some(&[_, _, h, w])) = (patches.interpolates, shape.as_deref())
            && h.is_multiple_of(patches.patch[0])
            && w.is_multiple_of(patches.patch[1])
            && (1..=LARGEST_GRID).contains(&(h / patches.patch[0]))
            && (1..=LARGEST_GRID).contains(&(w / patches.patch[1]))
        {
            [height, width] = [h, w];
        }
        self.floats("pixel_values", [patches.channels, height, width])
    }

    fn features(&self) -> Result<Option<Tensor<3>>> {
        let Some(InputConfig::Frames(frames)) = self.config.encoder.as_ref().map(|e| &e.input)
        else {
            return Ok(None);
        };
        self.floats("input_features", [frames.mel_bins, frames.frames()])
    }

    /// Floats `[batch, ..]`, each row of the shape `row`.
    fn floats<const D: usize, const R: usize>(
        &self,
        name: &str,
        row: [usize; R],
    ) -> Result<Option<Tensor<D>>> {
        let Some(data) = self.inputs.get(name) else {
            return Ok(None);
        };
        let shape = data.shape().to_vec();
        if shape.len() != D || shape[1..] != row || shape[0] == 0 {
            return refuse(format!(
                "`{name}` is {shape:?}, and must be {}",
                self.form(name)
            ));
        }
        let data = finite(name, data)?;
        Ok(Some(Tensor::from_data(
            data.convert_dtype(self.dtype),
            (self.device, self.dtype),
        )))
    }

    /// Refuses inputs of different batches. Texts and images that are compared may differ.
    fn rows(&self, batch: &Batch, cache: Option<&Cache>) -> Result<()> {
        if self.config.logit_scale.is_some() {
            return Ok(());
        }
        let given = [
            ("input_ids", batch.input_ids.as_ref().map(|x| x.dims()[0])),
            (
                "input_features",
                batch.input_features.as_ref().map(|x| x.dims()[0]),
            ),
            (
                "decoder_input_ids",
                batch.decoder_input_ids.as_ref().map(|x| x.dims()[0]),
            ),
        ];
        let mut given = given
            .into_iter()
            .filter_map(|(name, rows)| Some((name, rows?)));
        let Some((first, rows)) = given.next() else {
            return Ok(());
        };
        if let Some((name, other)) = given.find(|(_, other)| *other != rows) {
            return refuse(format!(
                "`{first}` and `{name}` differ in batch ({rows} and {other})"
            ));
        }
        let Some(cache) = cache else { return Ok(()) };
        let differs = |layer: &LayerCache| {
            let cross = layer.cross.iter();
            let mut all = cross.chain([&layer.own]);
            all.any(|past| past.key.dims()[0] != rows)
        };
        if cache.layers.iter().any(differs) {
            return refuse(format!(
                "`past_key_values` and `{first}` differ in batch ({rows})"
            ));
        }
        // Its output is not computed again.
        let source = match (&batch.input_ids, &self.config.encoder) {
            (Some(ids), _) => ids.dims()[1],
            (None, Some(encoder)) => encoder.max_positions,
            (None, None) => 0,
        };
        match cache.read() {
            0 => Ok(()),
            read if read == source => Ok(()),
            read => refuse(format!(
                "`past_key_values` have {read} positions of the encoder, which reads {source}"
            )),
        }
    }

    /// The cache, where there is one: every layer's keys and values, or none.
    fn cache(&self) -> Result<Option<Cache>> {
        let mut given = self
            .inputs
            .keys()
            .filter(|name| name.starts_with("past_key_values."));
        if given.next().is_none() {
            return Ok(None);
        }
        let Some(stack) = self.config.decoder.as_ref() else {
            return refuse("the model keeps no cache: leave `past_key_values.*` out".into());
        };
        let mut lengths = [None, None];
        let both = self.config.encodes_and_decodes();
        let layers = (0..stack.layers).map(|layer| {
            let [own, cross] = match both {
                true => ["decoder.", "encoder."].map(|part| format!("{layer}.{part}")),
                false => [format!("{layer}."), String::new()],
            };
            let [own_length, cross_length] = &mut lengths;
            Ok(LayerCache {
                own: self.key_value(&own, own_length)?,
                cross: match both {
                    true => Some(self.key_value(&cross, cross_length)?),
                    false => None,
                }
                .filter(|cross| cross.places() > 0),
            })
        });
        let cache = Cache::full(layers.collect::<Result<_>>()?);
        // A past of no positions is no past: some backends hold no empty tensors.
        Ok((cache.past() > 0).then_some(cache))
    }

    fn key_value(&self, place: &str, length: &mut Option<(usize, usize)>) -> Result<KeyValue> {
        let (heads, size) = (self.config.kv_heads(), self.config.head_dim());
        let mut read = |part: &str| -> Result<Tensor<4>> {
            let name = format!("past_key_values.{place}{part}");
            let data = self
                .inputs
                .get(&name)
                .ok_or_else(|| Error::Input(format!("`{name}` is missing")))?;
            let shape = data.shape().to_vec();
            let known = match shape.as_slice() {
                &[rows, h, past, dim] if [h, dim] == [heads, size] => {
                    *length.get_or_insert((rows, past)) == (rows, past)
                }
                _ => false,
            };
            if !known {
                return refuse(format!(
                    "`{name}` is {shape:?}, and must be [batch, {heads}, past, {size}], alike in \
                     every layer"
                ));
            }
            let data = finite(&name, data)?.convert_dtype(self.dtype);
            Ok(Tensor::from_data(data, (self.device, self.dtype)))
        };
        Ok(KeyValue {
            key: read("key")?,
            value: read("value")?,
        })
    }
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

/// The values in float32, every one of them finite.
fn finite(name: &str, data: &TensorData) -> Result<TensorData> {
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
