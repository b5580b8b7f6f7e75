//! The cache as inputs: every layer's keys and values.

use burn::tensor::Tensor;

use super::floats::finite;
use super::{Reader, refuse};
use crate::blocks::cache::{Cache, KeyValue, LayerCache};
use crate::error::{Error, Result};

impl Reader<'_> {
    /// The cache, where there is one: every layer's keys and values, or none.
    pub(super) fn cache(&self) -> Result<Option<Cache>> {
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
            let [own, cross] = if both {
                ["decoder.", "encoder."].map(|part| format!("{layer}.{part}"))
            } else {
                [format!("{layer}."), String::new()]
            };
            let [own_length, cross_length] = &mut lengths;
            Ok(LayerCache {
                own: self.key_value(&own, own_length)?,
                cross: if both {
                    Some(self.key_value(&cross, cross_length)?)
                } else {
                    None
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
